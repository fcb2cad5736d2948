#include "deploy/node_spec.h"

#include "base/fs.h"

#include <libgen.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_LEN = 63 };

static void free_list(char **list)
{
    for (size_t i = 0; list && list[i]; i++)
        free(list[i]);
    free(list);
}

void tfl_node_spec_done(struct tfl_node_spec *spec)
{
    if (!spec)
        return;
    for (size_t i = 0; i < spec->n_files; i++) {
        free(spec->files[i].path);
        free(spec->files[i].content);
    }
    free(spec->files);
    free_list(spec->argv);
    free_list(spec->env);
    free(spec->name);
    free(spec->cwd);
    free(spec->log);
    free(spec->ports);
    free(spec->url);
    free(spec->dialect);
    free(spec->ready_path);
    memset(spec, 0, sizeof *spec);
}

static bool good_name(const char *name)
{
    static const char *const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t n = name ? strlen(name) : 0;
    return n > 0 && n <= NAME_MAX_LEN && name[0] != '.' && strspn(name, allowed) == n;
}

/* "a/b" but neither "/a" nor "../a" nor "a/../b". */
static bool stays_inside(const char *path)
{
    if (!path || !*path || *path == '/')
        return false;
    for (const char *p = path; *p; p += strcspn(p, "/"), p += *p == '/')
        if (!strncmp(p, "..", 2) && (p[2] == '/' || !p[2]))
            return false;
    return true;
}

int tfl_node_spec_check(const struct tfl_node_spec *spec, struct tfl_error *err)
{
    if (!good_name(spec->name))
        return tfl_fail(err, TFL_E_BAD_CONFIG,
            "node name `%s`: 1 to %d letters, digits, '.', '_', '-' expected, not beginning with '.'",
            spec->name ? spec->name : "", NAME_MAX_LEN);
    if (!spec->argv || !spec->argv[0] || !spec->argv[0][0])
        return tfl_fail(err, TFL_E_BAD_CONFIG, "%s: argv is empty: the kind names no program", spec->name);
    if (!spec->cwd || spec->cwd[0] != '/')
        return tfl_fail(err, TFL_E_BAD_CONFIG, "%s: cwd must be an absolute path, is `%s`", spec->name,
            spec->cwd ? spec->cwd : "");
    if (!spec->log || spec->log[0] != '/')
        return tfl_fail(err, TFL_E_BAD_CONFIG, "%s: log must be an absolute path, is `%s`", spec->name,
            spec->log ? spec->log : "");
    for (size_t i = 0; i < spec->n_files; i++)
        if (!stays_inside(spec->files[i].path))
            return tfl_fail(err, TFL_E_BAD_CONFIG,
                "%s: the file `%s` must be a path inside the node's folder", spec->name, spec->files[i].path);
    for (size_t i = 0; spec->env && spec->env[i]; i++)
        if (spec->env[i][0] == '=' || !strchr(spec->env[i], '='))
            return tfl_fail(
                err, TFL_E_BAD_CONFIG, "%s: env has `%s`, expected KEY=value", spec->name, spec->env[i]);
    return 0;
}

int tfl_node_spec_write(const struct tfl_node_spec *spec, struct tfl_error *err)
{
    TFL_FREE char *log = tfl_strdup(spec->log);
    TFL_FREE char *data = tfl_sprintf("%s/data", spec->cwd);
    if (tfl_mkdir_p(spec->cwd, 0755, err) || tfl_mkdir_p(data, 0700, err) ||
        tfl_mkdir_p(dirname(log), 0755, err))
        return tfl_wrap(err, "%s", spec->name);
    for (size_t i = 0; i < spec->n_files; i++) {
        const struct tfl_node_file *file = &spec->files[i];
        TFL_FREE char *path = tfl_sprintf("%s/%s", spec->cwd, file->path);
        TFL_FREE char *copy = tfl_strdup(path);
        if (strchr(file->path, '/') && tfl_mkdir_p(dirname(copy), 0755, err))
            return tfl_wrap(err, "%s", spec->name);
        if (tfl_write_file(path, file->content, file->len, file->mode ? file->mode : 0644, err))
            return tfl_wrap(err, "%s", spec->name);
    }
    return 0;
}

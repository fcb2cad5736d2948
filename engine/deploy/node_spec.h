#ifndef TFL_DEPLOY_NODE_SPEC_H
#define TFL_DEPLOY_NODE_SPEC_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* How one node is launched and spoken to: plain data, made by its kind. */
struct tfl_node_file {
    char *path; /* relative to the node's folder, no ".." */
    char *content;
    size_t len;
    mode_t mode;
};

struct tfl_node_spec {
    char *name;  /* "node-0": 1 to 63 letters, digits, '.', '_', '-' */
    char **argv; /* NULL-terminated; at least the program */
    char **env;  /* "KEY=value", NULL-terminated, or NULL; over tfl's own environment */
    char *cwd;   /* absolute; the node's folder, made if need be */
    char *log;   /* absolute; its output goes here */
    struct tfl_node_file *files;
    size_t n_files;
    uint16_t *ports; /* reserved ports that it will bind */
    size_t n_ports;
    char *url; /* of its HTTP API, "http://127.0.0.1:20031"; NULL: none, readiness is then only being alive */
    char *dialect;    /* NULL: "reference" */
    char *ready_path; /* NULL: the dialect's info */
    int ready_peers;  /* how many peers it has when it is ready */
    int stop_signal;  /* 0: SIGTERM */
};

/* Frees what the members point to. NULL-safe. */
void tfl_node_spec_done(struct tfl_node_spec *spec);
/* TFL_E_BAD_CONFIG, naming node and member, when something is missing or out of bounds. */
int tfl_node_spec_check(const struct tfl_node_spec *spec, struct tfl_error *err);
/* Makes the node's folder, `data` in it (the owner's alone), and writes its files. */
int tfl_node_spec_write(const struct tfl_node_spec *spec, struct tfl_error *err);

#endif

#include "node/core_impl.h"

#include <stdio.h>
#include <string.h>

void core_emit(struct tfl_core *core, struct tfl_core_effect effect)
{
    if (core->n_effects == core->effects_cap) {
        if (core->effects_head > 0) { /* popped ones make room first */
            core->n_effects -= core->effects_head;
            memmove(core->effects, core->effects + core->effects_head, core->n_effects * sizeof effect);
            core->effects_head = 0;
        } else {
            core->effects_cap = core->effects_cap ? core->effects_cap * 2 : 16;
            core->effects = tfl_realloc(core->effects, core->effects_cap * sizeof effect);
        }
    }
    TFL_ASSERT(core->n_effects - core->effects_head < CORE_EFFECTS_MAX);
    core->effects[core->n_effects++] = effect;
}

void core_send(struct tfl_core *core, const struct core_peer *p, struct tfl_bytes *bytes)
{
    TFL_ASSERT(!p->gone);
    core_emit(core, (struct tfl_core_effect){.type = TFL_CORE_SEND, .peer = p->handle, .bytes = bytes});
}

static struct tfl_bytes *text(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));
static struct tfl_bytes *text(const char *fmt, va_list ap)
{
    char line[1200];
    int n = vsnprintf(line, sizeof line, fmt, ap);
    TFL_ASSERT(n >= 0);
    return tfl_bytes_new(line, strlen(line));
}

void core_log(struct tfl_core *core, enum tfl_log_level level, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    core_emit(core, (struct tfl_core_effect){.type = TFL_CORE_LOG, .level = level, .bytes = text(fmt, ap)});
    va_end(ap);
}

void core_drop(struct tfl_core *core, struct core_peer *p, const char *fmt, ...)
{
    va_list ap;
    TFL_ASSERT(!p->gone);
    va_start(ap, fmt);
    core_emit(
        core, (struct tfl_core_effect){.type = TFL_CORE_DROP, .peer = p->handle, .bytes = text(fmt, ap)});
    va_end(ap);
    p->gone = true;
    core->n_dropped++;
}

bool tfl_core_next(struct tfl_core *core, struct tfl_core_effect *out)
{
    if (core->effects_head == core->n_effects) {
        core->effects_head = core->n_effects = 0;
        return false;
    }
    *out = core->effects[core->effects_head++];
    return true;
}

void tfl_core_effect_done(struct tfl_core_effect *effect)
{
    tfl_bytes_unref(effect->bytes);
    effect->bytes = NULL;
}

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

/* A line of text: what a drop or a log line says. Longer ones are cut. */
#define LINE_SIZE 1200

void core_log(struct tfl_core *core, enum tfl_log_level level, const char *fmt, ...)
{
    char line[LINE_SIZE];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    core_emit(core, (struct tfl_core_effect){
                        .type = TFL_CORE_LOG, .level = level, .bytes = tfl_bytes_new(line, strlen(line))});
}

void core_drop(struct tfl_core *core, struct core_peer *p, const char *fmt, ...)
{
    char line[LINE_SIZE];
    va_list ap;
    TFL_ASSERT(!p->gone);
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    core_emit(
        core, (struct tfl_core_effect){
                  .type = TFL_CORE_DROP, .peer = p->handle, .bytes = tfl_bytes_new(line, strlen(line))});
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

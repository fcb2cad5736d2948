/* `tfl-node --test KEY=VALUE`: the switches that make a bad node of a good one. */
#include "node/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char tfl_node_test_help[] =
    "  lead=BOOL             false: never leads\n"
    "  lead_until_slot=SLOT  leads only in slots below this one\n"
    "  deaf_from_slot=SLOT   from this slot on ignores all messages but pings, and does not lead\n"
    "  build_on_genesis=BOOL every block it leads has genesis as parent\n"
    "  drop_every=N          of the transactions given to it, answers 200 to every Nth and forgets it\n"
    "  peers=ADDR,ADDR…      dials these instead of initial_peers (empty: none)\n"
    "  crash_at_slot=SLOT    ends with status 101 in this slot\n";

static int boolean(const char *text, bool *out)
{
    bool yes = !strcmp(text, "true") || !strcmp(text, "1"), no = !strcmp(text, "false") || !strcmp(text, "0");
    *out = yes;
    return yes || no ? 0 : -1;
}

static int number(const char *text, uint64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && !*end && !errno ? 0 : -1;
}

static int set_peers(struct tfl_node_config *c, const char *list, struct tfl_error *err)
{
    TFL_FREE char *copy = tfl_strdup(list);
    char *save = NULL;
    free(c->peers);
    c->peers =
        tfl_alloc((strlen(list) / 2 + 1) * sizeof *c->peers); /* one character and a comma each, at least */
    c->n_peers = 0;
    for (char *p = strtok_r(copy, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
        if (c->n_peers == TFL_NODE_PEERS_MAX)
            return tfl_fail(err, TFL_E_USAGE, "--test peers: more than %d", TFL_NODE_PEERS_MAX);
        if (tfl_addr_parse_multi(&c->peers[c->n_peers], p, err))
            return tfl_wrap(err, "--test peers");
        c->n_peers++;
    }
    return 0;
}

int tfl_node_config_test(struct tfl_node_config *c, const char *assignment, struct tfl_error *err)
{
    const char *value = strchr(assignment, '=');
    size_t n = value ? (size_t)(value - assignment) : strlen(assignment);
    TFL_FREE char *key = tfl_strndup(assignment, n);
    bool lead;
    int bad;
    value = value ? value + 1 : "";
    if (!strcmp(key, "peers"))
        return set_peers(c, value, err);
    if (!strcmp(key, "lead")) {
        bad = boolean(value, &lead);
        c->test.no_lead = !lead;
    } else if (!strcmp(key, "build_on_genesis")) {
        bad = boolean(value, &c->test.build_on_genesis);
    } else if (!strcmp(key, "lead_until_slot")) {
        bad = number(value, &c->test.lead_until_slot);
    } else if (!strcmp(key, "deaf_from_slot")) {
        bad = number(value, &c->test.deaf_from_slot);
    } else if (!strcmp(key, "drop_every")) {
        bad = number(value, &c->test.drop_every);
    } else if (!strcmp(key, "crash_at_slot")) {
        bad = number(value, &c->crash_at_slot);
    } else {
        return tfl_fail(err, TFL_E_USAGE,
            "--test %.80s: no such key; expected lead, lead_until_slot, deaf_from_slot, build_on_genesis, "
            "drop_every, peers or crash_at_slot",
            assignment);
    }
    return bad ? tfl_fail(err, TFL_E_USAGE, "--test %.80s: expected %s", assignment,
                     !strcmp(key, "lead") || !strcmp(key, "build_on_genesis") ? "true or false" : "a number")
               : 0;
}

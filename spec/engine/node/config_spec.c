#include "node/config.h"

#include "base/fs.h"
#include "node/yaml_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define HEX "0707070707070707070707070707070707070707070707070707070707070707"
#define PUB_A "dc4aec617a8889e651c88997f2c4ba7e606cc553434a526f73109d26aa9d69ac"
#define PUB_B "0808080808080808080808080808080808080808080808080808080808080808"

static const char user_yaml[] =
    "network:\n"
    "  backend:\n"
    "    swarm: {host: 127.0.0.1, port: 20001, node_key: '" HEX "'}\n"
    "    initial_peers: [/ip4/127.0.0.1/tcp/20003, /dns4/node-2/tcp/3000]\n"
    "cryptarchia: {service: {bootstrap: {prolonged_bootstrap_period: '1.500000000'}}, "
    "leader: {key: '" HEX "'}}\n"
    "api: {backend: {listen_address: 127.0.0.1:20000}}\n"
    "state: {base_folder: /var/lib/n1}\n"
    "tracing:\n"
    "  level: DEBUG\n"
    "  logger: !File {directory: /var/log/tfl, prefix: n1.log}\n";

static const char deployment_yaml[] = "chain_id: spec\n"
                                      "cryptarchia:\n"
                                      "  security_param: 11\n"
                                      "  slot_activation_coeff: {numerator: 1, denominator: 4}\n"
                                      "  nonce: '" HEX "'\n"
                                      "  genesis_time_unix_ms: 1787300000000\n"
                                      "  stakes:\n"
                                      "  - {key: '" PUB_A "', stake: 100000}\n"
                                      "  - {key: '" PUB_B "', stake: 0}\n"
                                      "time: {slot_duration: '0.200000000'}\n";

struct files {
    char dir[64], user[96], deployment[96];
};

static int setup(void **state)
{
    struct files *f = tfl_alloc(sizeof *f);
    strcpy(f->dir, "/tmp/spec-config-XXXXXX");
    if (!mkdtemp(f->dir))
        return -1;
    snprintf(f->user, sizeof f->user, "%s/user.yaml", f->dir);
    snprintf(f->deployment, sizeof f->deployment, "%s/deployment.yaml", f->dir);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct files *f = *state;
    int r = tfl_remove_tree(f->dir, NULL);
    free(f);
    return r;
}

/* The text with the first `from` replaced by `to`. */
static char *edited(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    assert_non_null(at);
    return tfl_sprintf("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

static void write_files(struct files *f, const char *user, const char *deployment)
{
    assert_int_equal(tfl_write_file(f->user, user, strlen(user), 0644, NULL), 0);
    assert_int_equal(tfl_write_file(f->deployment, deployment, strlen(deployment), 0644, NULL), 0);
}

static void all_values_are_read(void **state)
{
    struct files *f = *state;
    struct tfl_node_config c = {0};
    struct tfl_error err;
    char text[TFL_ADDR_TEXT];
    uint8_t seed[32];
    memset(seed, 7, sizeof seed);
    write_files(f, user_yaml, deployment_yaml);
    assert_int_equal(tfl_node_config_read(&c, f->user, f->deployment, &err), 0);
    assert_string_equal(tfl_addr_text(&c.listen, text), "127.0.0.1:20001");
    assert_string_equal(tfl_addr_text(&c.api, text), "127.0.0.1:20000");
    assert_int_equal(c.n_peers, 2);
    assert_string_equal(tfl_addr_multi(&c.peers[0], text), "/ip4/127.0.0.1/tcp/20003");
    assert_string_equal(tfl_addr_multi(&c.peers[1], text), "/dns4/node-2/tcp/3000");
    assert_memory_equal(c.node_seed, seed, 32);
    assert_true(c.leads);
    assert_memory_equal(c.leader_seed, seed, 32);
    assert_string_equal(c.base_folder, "/var/lib/n1");
    assert_int_equal(c.level, TFL_LOG_DEBUG);
    assert_string_equal(c.log_directory, "/var/log/tfl");
    assert_string_equal(c.log_prefix, "n1.log");
    assert_string_equal(c.genesis.chain_id, "spec");
    assert_int_equal(c.security_param, 11);
    assert_true(c.active_slot_coeff == 0.25);
    assert_memory_equal(c.genesis.nonce, seed, 32);
    assert_true(c.genesis.genesis_time_unix_ms == 1787300000000u);
    assert_int_equal(c.genesis.n_stakes, 2);
    assert_int_equal(c.genesis.stakes[0].pub[0], 0xdc);
    assert_int_equal(c.genesis.stakes[0].stake, 100000);
    assert_int_equal(c.slot_duration_ms, 200);
    assert_int_equal(c.bootstrap_ms, 1500);
    tfl_node_config_done(&c);
}

static void notes_are_read(void **state)
{
    struct files *f = *state;
    struct tfl_node_config c = {0};
    struct tfl_error err = {0};
    TFL_FREE char *text = edited(deployment_yaml,
        "time:", "  notes: [{value: 18446744073709551614, pk: " HEX "}, {value: 1, pk: " HEX "}]\ntime:");
    write_files(f, user_yaml, text);
    if (tfl_node_config_read(&c, f->user, f->deployment, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(c.genesis.n_notes, 2);
    assert_true(c.genesis.notes[0].value == UINT64_MAX - 1);
    assert_int_equal(c.genesis.notes[1].value, 1);
    assert_int_equal(c.genesis.notes[1].pk[31], 7);
    tfl_node_config_done(&c);
}

static void what_is_optional_may_be_away(void **state)
{
    struct files *f = *state;
    struct tfl_node_config c = {0};
    static const char small[] = "network: {backend: {swarm: {host: '::1', port: 0, node_key: " HEX "}}}\n"
                                "api: {backend: {listen_address: '[::1]:0'}}\n"
                                "state: {base_folder: x}\n";
    write_files(f, small, deployment_yaml);
    assert_int_equal(tfl_node_config_read(&c, f->user, f->deployment, NULL), 0);
    assert_false(c.leads);
    assert_int_equal(c.n_peers, 0);
    assert_int_equal(c.level, TFL_LOG_INFO);
    assert_null(c.log_directory);
    tfl_node_config_done(&c);
    TFL_FREE char *loud = tfl_sprintf("%stracing: {logger: !Stdout }\n", small);
    write_files(f, loud, deployment_yaml);
    assert_int_equal(tfl_node_config_read(&c, f->user, f->deployment, NULL), 0);
    assert_null(c.log_directory);
    tfl_node_config_done(&c);
}

/* Every edit must be refused with file, line and all the words of `wanted` (separated by '|'). */
struct edit {
    const char *from, *to;
    int line;
    const char *wanted;
};

static void refused(struct files *f, const struct edit *e, bool of_user)
{
    struct tfl_node_config c = {0};
    struct tfl_error err = {0};
    TFL_FREE char *text = edited(of_user ? user_yaml : deployment_yaml, e->from, e->to);
    write_files(f, of_user ? text : user_yaml, of_user ? deployment_yaml : text);
    if (tfl_node_config_read(&c, f->user, f->deployment, &err) == 0)
        fail_msg("accepted: %s", e->to);
    TFL_FREE char *place = tfl_sprintf("%s:%d: ", of_user ? f->user : f->deployment, e->line);
    TFL_FREE char *words = tfl_strdup(e->wanted);
    char *save = NULL;
    assert_int_equal(err.code, TFL_E_BAD_CONFIG);
    if (strncmp(err.msg, place, strlen(place)))
        fail_msg("%s is not at %s", err.msg, place);
    for (char *word = strtok_r(words, "|", &save); word; word = strtok_r(NULL, "|", &save))
        if (!strstr(err.msg, word))
            fail_msg("\"%s\" lacks \"%s\"", err.msg, word);
    tfl_node_config_done(&c);
}

static void bad_user_files_are_refused(void **state)
{
    static const struct edit edits[] = {
        {"state:", "stat:", 7, "unknown key \"stat\"|state"},
        {"port: 20001", "prt: 20001", 3, "network.backend.swarm|unknown key \"prt\"|port"},
        {"port: 20001, ", "", 3, "network.backend.swarm.port: missing"},
        {"port: 20001", "port: 65536", 3, "swarm.port|from 0 to 65535|65536"},
        {"port: 20001", "port: -1", 3, "swarm.port|\"-1\""},
        {"port: 20001", "port: 0x10", 3, "swarm.port|\"0x10\""},
        {"port: 20001", "port: [1]", 3, "swarm.port|expected a number"},
        {"port: 20001", "port: 1, port: 2", 3, "\"port\" is there twice"},
        {"host: 127.0.0.1", "host: localhost", 3, "swarm.host|IP address"},
        {"host: 127.0.0.1", "host: 'a b'", 3, "swarm.host|\"a b\" is no host"},
        {"'" HEX "'}\n    ini", "'07'}\n    ini", 3, "node_key|64 hex digits|2 characters"},
        {"/tcp/20003", "/udp/20003/quic-v1", 4, "initial_peers|/udp/20003|/ip4/ADDRESS/tcp/PORT"},
        {"[/ip4/127.0.0.1/tcp/20003, /dns4/node-2/tcp/3000]", "5", 4, "initial_peers|list"},
        {"leader: {key: ", "leader: {kee: ", 5, "cryptarchia.leader|unknown key \"kee\""},
        {"'1.500000000'", "'1.5'", 5, "prolonged_bootstrap_period|S.NNNNNNNNN|\"1.5\""},
        {"'1.500000000'", "'3600.001000000'", 5, "prolonged_bootstrap_period|from 0 to 3600000"},
        {"{bootstrap: {", "{boot: {", 5, "cryptarchia.service|unknown key \"boot\""},
        {"127.0.0.1:20000", "127.0.0.1", 6, "api.backend.listen_address|HOST:PORT"},
        {"127.0.0.1:20000", "node:20000", 6, "listen_address|IP address"},
        {"/var/lib/n1", "''", 7, "state.base_folder|expected text"},
        {"level: DEBUG", "level: LOUD", 9, "tracing.level|ERROR, WARN, INFO, DEBUG or TRACE"},
        {"!File {", "!Loki {", 10, "tracing.logger|!Stdout or !File"},
        {", prefix: n1.log", "", 10, "tracing.logger.prefix: missing"},
        {"n1.log", "../n1.log", 10, "prefix|without a folder"},
        {"network:", "network: &anchor", 1, "anchors"},
        {"level: DEBUG", "level: [DEBUG", 10, "not YAML"},
        {"state: {", "---\nstate: {", 7, "second document"},
        {"network:\n  backend:", "network:\n  [a]:", 2, "key must be plain text"},
    };
    for (size_t i = 0; i < TFL_LEN(edits); i++)
        refused(*state, &edits[i], true);
}

static void bad_deployment_files_are_refused(void **state)
{
    static const struct edit edits[] = {
        {"chain_id: spec\n", "", 1, "chain_id: missing"},
        {"security_param: 11", "security_param: 0", 3, "security_param|from 1"},
        {"denominator: 4", "denominator: 0", 4, "denominator|from 1"},
        {"numerator: 1", "numerator: 5", 4, "slot_activation_coeff|at most 1|5/4"},
        {"1787300000000", "soon", 6, "genesis_time_unix_ms|\"soon\""},
        {"stake: 100000", "stake: 1.5", 8, "stakes.stake|\"1.5\""},
        {"stake: 100000", "steak: 100000", 8, "stakes.stake: missing"},
        {PUB_B, PUB_A, 3, "cryptarchia"},
        {"stake: 100000", "stake: 0", 3, "cryptarchia"},
        {"  stakes:\n  - {key: '" PUB_A "', stake: 100000}\n  - {key: '" PUB_B "', stake: 0}", "  stakes: []",
            7, "stakes|1 to 4096"},
        {"time:", "  notes: 7\ntime:", 10, "notes|at most 16384"},
        {"time:", "  notes: [{value: 1}]\ntime:", 10, "notes|{value: NUMBER, pk: PUBLIC KEY}"},
        {"time:", "  notes: [{value: 0, pk: " HEX "}]\ntime:", 10, "notes.value|from 1"},
        {"time:", "  notes: [{value: 1, pk: 12}]\ntime:", 10, "notes.pk|64 hex digits"},
        {"time:", "  notes: [{value: 18446744073709551615, pk: " HEX "}, {value: 1, pk: " HEX "}]\ntime:", 3,
            "cryptarchia|64 bits"},
        {"'0.200000000'", "'0.2'", 10, "slot_duration|S.NNNNNNNNN|\"0.2\""},
        {"'0.200000000'", "{secs: 1, nanos: 0}", 10, "slot_duration|S.NNNNNNNNN"},
        {"'0.200000000'", "'0.049000000'", 10, "slot_duration|50"},
        {"'0.200000000'", "'0.200000001'", 10, "slot_duration|whole milliseconds"},
        {"'0.200000000'", "'9999999.000000000'", 10, "slot_duration"},
        {"time:", "tyme:", 10, "unknown key \"tyme\""},
    };
    for (size_t i = 0; i < TFL_LEN(edits); i++)
        refused(*state, &edits[i], false);
}

static void a_file_that_is_no_map_or_not_there_is_named(void **state)
{
    struct files *f = *state;
    struct tfl_node_config c = {0};
    struct tfl_error err;
    static const char *const bad[] = {"", "- 1\n", "text\n", "\x01", "*alias\n"};
    for (size_t i = 0; i < TFL_LEN(bad); i++) {
        write_files(f, bad[i], deployment_yaml);
        assert_int_equal(tfl_node_config_read(&c, f->user, f->deployment, &err), -1);
        assert_non_null(strstr(err.msg, "user.yaml:1: "));
        tfl_node_config_done(&c);
    }
    TFL_BUF deep = {0};
    for (int i = 0; i < 40; i++)
        tfl_buf_adds(&deep, "[");
    write_files(f, deep.data, deployment_yaml);
    assert_int_equal(tfl_node_config_read(&c, f->user, f->deployment, &err), -1);
    assert_non_null(strstr(err.msg, "too deep"));
    unlink(f->user);
    assert_int_equal(tfl_node_config_read(&c, f->user, f->deployment, &err), -1);
    assert_int_equal(err.code, TFL_E_NOT_FOUND);
    assert_non_null(strstr(err.msg, f->user));
}

static void test_switches_are_read(void **state)
{
    struct tfl_node_config c = {0};
    struct tfl_error err;
    static const char *const good[] = {"lead=false", "lead_until_slot=50", "deaf_from_slot=60",
        "build_on_genesis=true", "crash_at_slot=70", "peers=/ip4/127.0.0.1/tcp/1,/ip4/127.0.0.1/tcp/2"};
    static const char *const bad[] = {"lead", "lead=maybe", "lead_until_slot=-1",
        "lead_until_slot=", "crash_at_slot=x", "nonsense=1", "", "peers=/ip4/127.0.0.1", "=1"};
    (void)state;
    for (size_t i = 0; i < TFL_LEN(good); i++)
        assert_int_equal(tfl_node_config_test(&c, good[i], &err), 0);
    assert_true(c.test.no_lead && c.test.build_on_genesis);
    assert_int_equal(c.test.lead_until_slot, 50);
    assert_int_equal(c.test.deaf_from_slot, 60);
    assert_int_equal(c.crash_at_slot, 70);
    assert_int_equal(c.n_peers, 2);
    assert_int_equal(c.peers[1].port, 2);
    assert_int_equal(tfl_node_config_test(&c, "lead=true", &err), 0);
    assert_false(c.test.no_lead);
    assert_int_equal(tfl_node_config_test(&c, "peers=", &err), 0);
    assert_int_equal(c.n_peers, 0);
    for (size_t i = 0; i < TFL_LEN(bad); i++) {
        assert_int_equal(tfl_node_config_test(&c, bad[i], &err), -1);
        assert_int_equal(err.code, TFL_E_USAGE);
    }
    tfl_node_config_done(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_values_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(notes_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_optional_may_be_away, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_user_files_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_deployment_files_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_that_is_no_map_or_not_there_is_named, setup, teardown),
        cmocka_unit_test(test_switches_are_read),
    };
    tfl_chain_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

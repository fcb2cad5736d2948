#include "block_graph_world.h"

static void rows_become_events_in_order(void **state)
{
    (void)state;
    row(0, 1, 0, 3, 0);
    row(1, 1, 0, 3, 0);
    row(0, 2, 1, 5, 1);
    assert_string_equal(told(0), "B0 B1 A1@0 A1@1 B2 A2@0 F1@0+1");
    row(0, 2, 1, 5, 1); /* again: nothing new */
    assert_string_equal(told(0), "B0 B1 A1@0 A1@1 B2 A2@0 F1@0+1");
    assert_int_equal(find(2)->height, 2);
    assert_int_equal(tfl_graph_node(g, 0)->lib->height, 1);
    assert_true(find(1)->final);
    assert_false(find(2)->final);
}

static void what_comes_before_its_parent_waits(void **state)
{
    (void)state;
    block(0, 3, 2, 9);
    block(1, 4, 2, 10);
    view(0, 3, 1);
    assert_string_equal(told(1), "backfill@0 backfill@1");
    struct tfl_hash two = id(2);
    assert_memory_equal(tfl_graph_hole(g, 0), &two, sizeof two);
    block(0, 2, 1, 6);
    struct tfl_hash one = id(1);
    assert_memory_equal(tfl_graph_hole(g, 0), &one, sizeof one);
    assert_memory_equal(tfl_graph_hole(g, 1), &one, sizeof one);
    assert_int_equal(find(3)->state, TFL_GBLOCK_PENDING);
    uint64_t from = tfl_graph_end(g);
    block(2, 1, 0, 1);
    assert_null(tfl_graph_hole(g, 0));
    assert_null(tfl_graph_hole(g, 1));
    assert_string_equal(told(from), "B1 B2 B4 B3 A3@0 F1@0+1");
    assert_int_equal(find(4)->height, 3);
}

static void a_reorganisation_has_a_depth(void **state)
{
    (void)state;
    row(0, 1, 0, 1, 0);
    row(0, 2, 1, 2, 0);
    row(0, 3, 2, 3, 0);
    uint64_t from = tfl_graph_end(g);
    block(0, 12, 1, 4);
    block(0, 13, 12, 5);
    row(0, 14, 13, 6, 0);
    assert_string_equal(told(from), "B12 B13 B14 R14@0/2 A14@0");
    assert_int_equal(tfl_graph_node(g, 0)->max_reorg, 2);
    struct tfl_graph_counts c;
    tfl_graph_count(g, &c);
    assert_int_equal(c.reorgs, 1);
    assert_int_equal(c.max_reorg, 2);
    assert_int_equal(c.blocks, 6);
}

static void two_final_blocks_at_one_height_conflict(void **state)
{
    (void)state;
    row(0, 1, 0, 1, 0);
    row(0, 2, 1, 2, 1);
    row(1, 11, 0, 1, 0);
    row(1, 12, 11, 3, 11);
    assert_int_equal(conflicts(TFL_FINAL_CONFLICT), 1);
    row(1, 13, 12, 4, 12); /* what follows from it is not told again */
    row(0, 3, 2, 5, 2);
    assert_int_equal(conflicts(TFL_FINAL_CONFLICT), 1);
    assert_int_equal(conflicts(TFL_FINAL_UNDONE), 0);
    const struct tfl_conflict *list;
    assert_int_equal(tfl_graph_conflicts(g, &list), 1);
    assert_int_equal(list[0].node, 1);
    assert_ptr_equal(list[0].block, find(11));
    assert_ptr_equal(list[0].other, find(1));
    assert_non_null(strstr(list[0].message, "two final blocks at height 1"));
}

static void the_conflict_is_found_where_branches_part(void **state)
{
    (void)state;
    for (unsigned i = 1; i < 9; i++)
        row(0, i, i - 1, i, i > 2 ? i - 2 : 0);
    block(1, 1, 0, 1);
    block(1, 2, 1, 2);
    for (unsigned i = 13; i < 19; i++)
        block(1, i, i == 13 ? 2 : i - 1, i);
    view(1, 18, 16); /* one jump over the whole branch */
    const struct tfl_conflict *list;
    assert_int_equal(tfl_graph_conflicts(g, &list), 1);
    assert_ptr_equal(list[0].block, find(13));
}

static void an_undone_final_block_is_found(void **state)
{
    (void)state;
    row(0, 1, 0, 1, 0);
    row(0, 2, 1, 2, 1);
    block(0, 11, 0, 1);
    row(0, 12, 11, 3, 11); /* its own LIB moves to another branch */
    assert_int_equal(conflicts(TFL_FINAL_UNDONE), 1);
    assert_int_equal(conflicts(TFL_FINAL_CONFLICT), 1);
    row(1, 1, 0, 1, 0);
    row(1, 2, 1, 2, 1);
    block(1, 12, 11, 3);
    view(1, 12, 1); /* the LIB stays, the chain is one without it */
    assert_int_equal(conflicts(TFL_FINAL_UNDONE), 2);
    row(2, 2, 1, 2, 2);
    view(2, 2, 1); /* only an older answer: its own chain, further back */
    assert_int_equal(conflicts(TFL_FINAL_UNDONE), 2);
}

static void a_node_that_starts_again_may_be_behind(void **state)
{
    (void)state;
    row(0, 1, 0, 1, 0);
    row(0, 2, 1, 2, 1);
    tfl_graph_stale(g, 0, now());
    assert_true(tfl_graph_node(g, 0)->stale);
    uint64_t from = tfl_graph_end(g);
    tfl_graph_session(g, 0, now());
    view(0, 0, 0); /* wiped */
    assert_string_equal(told(from), "A0@0");
    row(0, 1, 0, 1, 0);
    row(0, 2, 1, 2, 1);
    assert_int_equal(conflicts(TFL_FINAL_UNDONE), 0);
    assert_int_equal(tfl_graph_node(g, 0)->n_reorgs, 0);
    tfl_graph_session(g, 0, now());
    block(0, 11, 0, 1);
    view(0, 11, 11); /* but it may not come back with another truth */
    assert_int_equal(conflicts(TFL_FINAL_UNDONE), 1);
    assert_int_equal(conflicts(TFL_FINAL_CONFLICT), 1);
}

static void slots_must_grow(void **state)
{
    (void)state;
    row(0, 1, 0, 5, 0);
    row(0, 2, 1, 5, 0);
    row(0, 3, 2, 4, 0);
    row(1, 4, 0, 0, 0);
    assert_int_equal(conflicts(TFL_BAD_SLOT), 3);
    row(1, 2, 1, 5, 0);
    assert_int_equal(conflicts(TFL_BAD_SLOT), 3); /* once for each block */
}

static void blocks_from_the_future_are_found(void **state)
{
    (void)state;
    tfl_graph_free(g);
    make((struct tfl_graph_params){.genesis_time_ms = 1000000, .slot_ms = 100}, 2);
    clock_ms = 450; /* slot 4 */
    row(0, 1, 0, 4, 0);
    row(0, 2, 1, 5, 0); /* clocks differ: one slot is allowed */
    assert_int_equal(conflicts(TFL_FUTURE_BLOCK), 0);
    row(0, 3, 2, 6, 0);
    assert_int_equal(conflicts(TFL_FUTURE_BLOCK), 1);
    clock_ms = 700;
    row(1, 4, 3, 7, 0);
    assert_int_equal(conflicts(TFL_FUTURE_BLOCK), 1);
}

static void broken_links_are_found(void **state)
{
    (void)state;
    struct tfl_hash missing = id(7);
    row(0, 8, 7, 9, 0);
    assert_memory_equal(tfl_graph_hole(g, 0), &missing, sizeof missing);
    tfl_graph_refused(g, 0, &missing, now());
    assert_int_equal(conflicts(TFL_BROKEN_LINK), 1);
    assert_null(tfl_graph_hole(g, 0)); /* it is not asked for ever */
    row(1, 1, 0, 1, 0);
    block(1, 1, 2, 1); /* the same id with another parent */
    assert_int_equal(conflicts(TFL_BROKEN_LINK), 2);
    block(1, 20, 20, 3); /* its own parent */
    assert_int_equal(conflicts(TFL_BROKEN_LINK), 3);
    struct tfl_block_head other = {.id = id(30), .slot = 0}; /* another genesis */
    tfl_graph_block(g, 1, &other, true, now());
    assert_int_equal(conflicts(TFL_BROKEN_LINK), 4);
    view(2, 50, 0);
    struct tfl_hash tip = id(50);
    tfl_graph_refused(g, 2, &tip, now()); /* only named, linked by nobody: no link is broken */
    assert_int_equal(conflicts(TFL_BROKEN_LINK), 4);
    assert_int_equal(conflicts(TFL_GAP_UNKNOWN), 1);
}

static void a_circle_hangs_nobody(void **state)
{
    (void)state;
    block(0, 1, 2, 1);
    block(0, 2, 1, 2);
    view(0, 2, 1);
    assert_null(tfl_graph_hole(g, 0));
    assert_null(tfl_graph_node(g, 0)->tip);
}

static void genesis_is_found_out(void **state)
{
    (void)state;
    tfl_graph_free(g);
    clock_ms = 0;
    g = tfl_graph_new(&(struct tfl_graph_params){0});
    tfl_graph_add_node(g, "node-0");
    tfl_graph_session(g, 0, now());
    row(0, 2, 1, 2, 100);
    block(0, 1, 100, 1);
    struct tfl_block_head genesis = {.id = id(100), .slot = 0}, other = {.id = id(0), .slot = 0};
    tfl_graph_block(g, 0, &genesis, false, now());
    assert_ptr_equal(tfl_graph_root(g), find(100));
    assert_int_equal(find(2)->height, 2);
    assert_ptr_equal(tfl_graph_node(g, 0)->tip, find(2));
    tfl_graph_block(g, 0, &other, false, now());
    assert_int_equal(conflicts(TFL_BROKEN_LINK), 1);
}

static void another_genesis_is_a_finding_once_a_node(void **state)
{
    (void)state;
    struct tfl_hash mine = id(0), other = id(7);
    tfl_graph_genesis(g, 0, &mine, now());
    assert_int_equal(conflicts(TFL_OTHER_GENESIS), 0);
    tfl_graph_genesis(g, 1, &other, now());
    tfl_graph_genesis(g, 1, &other, now());
    tfl_graph_genesis(g, 2, &other, now());
    assert_int_equal(conflicts(TFL_OTHER_GENESIS), 2);
    const struct tfl_conflict *list;
    tfl_graph_conflicts(g, &list);
    assert_int_equal(list[0].node, 1);
    assert_non_null(strstr(list[0].message, "genesis_id: expected 00005a"));
    assert_non_null(strstr(list[0].message, "saw 07005a"));
}

#define SPEC(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
static void told_txs(int node, unsigned n, unsigned parent, const unsigned *txs, uint32_t n_txs)
{
    struct tfl_hash hashes[4];
    struct tfl_block_head h = head(n, parent, n);
    for (uint32_t i = 0; i < n_txs; i++)
        hashes[i] = id(1000 + txs[i]);
    h.txs = hashes;
    h.n_txs = n_txs;
    tfl_graph_block(g, node, &h, true, now());
}

static void blocks_keep_the_hashes_of_their_transactions(void **state)
{
    const struct tfl_gblock *found[2];
    struct tfl_hash hash = id(1007), other = id(1008), none = id(1009);
    (void)state;
    told_txs(0, 1, 0, (unsigned[]){7, 8}, 2);
    told_txs(1, 1, 0, (unsigned[]){9}, 1); /* an id is bound to its transactions: the first word counts */
    told_txs(0, 2, 0, (unsigned[]){7}, 1);
    told_txs(0, 13, 12, (unsigned[]){8}, 1); /* not linked: its block may never come to be */
    assert_int_equal(tfl_graph_find_tx(g, &hash, found, 2), 2);
    assert_true(found[0] == find(1) && found[1] == find(2));
    assert_int_equal(tfl_graph_find_tx(g, &hash, found, 1), 2);
    assert_int_equal(tfl_graph_find_tx(g, &other, found, 2), 1);
    assert_int_equal(tfl_graph_find_tx(g, &none, found, 2), 0);
    assert_memory_equal(&find(1)->txs[1], &other, sizeof other);
    struct tfl_graph_counts c;
    tfl_graph_count(g, &c);
    assert_int_equal(c.txs, 4);
}

static void the_head_is_the_highest_living_tip(void **state)
{
    (void)state;
    assert_null(tfl_graph_head(g));
    row(0, 1, 0, 1, 0);
    row(1, 2, 0, 2, 0);
    assert_ptr_equal(tfl_graph_head(g), find(1)); /* of equals the first node's */
    row(1, 3, 2, 3, 0);
    assert_ptr_equal(tfl_graph_head(g), find(3));
    tfl_graph_stale(g, 1, now());
    assert_ptr_equal(tfl_graph_head(g), find(1));
    tfl_graph_stale(g, 0, now());
    assert_ptr_equal(tfl_graph_head(g), find(3));
}

static void a_lib_moves_to_what_is_k_deep(void **state)
{
    (void)state;
    tfl_graph_free(g);
    make((struct tfl_graph_params){.security_param = 3}, 2);
    view(0, 0, 0);
    view(1, 0, 0);
    for (unsigned b = 1; b <= 9; b++) {
        row(0, b, b - 1, b, b > 3 ? b - 3 : 0);
        row(1, b, b - 1, b, b > 2 ? b - 2 : 0); /* whether the tip counts is open */
    }
    assert_int_equal(conflicts(TFL_EARLY_FINAL), 0);
    row(1, 10, 9, 10, 9);
    assert_int_equal(conflicts(TFL_EARLY_FINAL), 1);
    tfl_graph_session(g, 0, now()); /* a node that starts again has its last LIB as its tip */
    view(0, 9, 9);
    assert_int_equal(conflicts(TFL_EARLY_FINAL), 1);
}

static void a_lib_that_nobody_knows_is_not_on_the_chain(void **state)
{
    (void)state;
    row(0, 1, 0, 1, 0);
    row(0, 2, 1, 2, 99);
    row(0, 3, 2, 3, 99);
    assert_int_equal(conflicts(TFL_FINAL_UNDONE), 1);
    row(1, 5, 4, 5, 98); /* its tip hangs in the air: its LIB may be below */
    assert_int_equal(conflicts(TFL_FINAL_UNDONE), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SPEC(a_lib_moves_to_what_is_k_deep),
        SPEC(a_lib_that_nobody_knows_is_not_on_the_chain),
        SPEC(another_genesis_is_a_finding_once_a_node),
        SPEC(rows_become_events_in_order),
        SPEC(what_comes_before_its_parent_waits),
        SPEC(a_reorganisation_has_a_depth),
        SPEC(two_final_blocks_at_one_height_conflict),
        SPEC(the_conflict_is_found_where_branches_part),
        SPEC(an_undone_final_block_is_found),
        SPEC(a_node_that_starts_again_may_be_behind),
        SPEC(slots_must_grow),
        SPEC(blocks_from_the_future_are_found),
        SPEC(broken_links_are_found),
        SPEC(a_circle_hangs_nobody),
        SPEC(genesis_is_found_out),
        SPEC(blocks_keep_the_hashes_of_their_transactions),
        SPEC(the_head_is_the_highest_living_tip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

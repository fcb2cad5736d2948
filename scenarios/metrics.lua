-- Bounds on what Prometheus has seen of the nodes. Needs one that is running and told of them:
--
--     scripts/setup/setup-observability.sh host up         Debian's prometheus (compose up: in containers, with Grafana)
--     eval "$(scripts/setup/setup-observability.sh host env)"
--     tfl scenarios/metrics.lua
--     tfl scenarios/metrics.lua -p twin=true               must fail, with the value seen: nobody has that many peers (metric_bound)
--
-- `$run` in a query is the id of this run. Every series of the answer must hold the bound.
local p = tfl.params{nodes = 3, duration = "15s", twin = {false, help = "the variant that must fail"}}

-- Queries of a script's own go through ctx:telemetry():prometheus(), which is nil when no Prometheus is named.
local growth = tfl.expectation("height_in_metrics")
function growth:evaluate(ctx)
  local prometheus = ctx:telemetry():prometheus()
  for _, row in ipairs(prometheus:query_range('tfl_node_height{run="$run"}', {since = "60s", step = "1s"})) do
    local first, last = row.points[1].value, row.points[#row.points].value
    ctx:figure(row.labels.node, last, "blocks")
    if last <= first then ctx:fail("by its metrics %s stayed at height %d", row.labels.node, last) end
  end
end

tfl.scenario("metrics")
  :topology_with(function(t) t:nodes(p.nodes):full() end)
  :with_run_duration(p.duration)
  :with_expectation(growth)
  :expect_metric{query = 'tfl_node_peers{run="$run"}', op = ">=", value = p.twin and 1000 or p.nodes - 1, name = "peers"}
  :expect_metric{query = 'sum(tfl_node_blocks_refused_total{run="$run"})', op = "==", value = 0, name = "refused"}
  :expect_consensus_liveness()
  :build()

-- A node of your own: any program can be one. Here it is etcd, a store that keeps one history on several members (apt-get install
-- etcd-server). Its revisions are read as blocks, so tfl compares the histories of all members; a workload writes to it while its leader
-- is killed, and then cut off from the others.
--
--     tfl scenarios/custom_kind.lua
--     tfl scenarios/custom_kind.lua -p twin=true        must fail: it believes what one member alone says (stale)
local p = tfl.params{nodes = 3, rate = 20, twin = {false, help = "the variant that must fail"}}

-- ---- etcd's own interface: JSON over HTTP, keys and values in base64

local DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
local function base64(text)
  return (text:gsub("..?.?", function(part)
    local a, b, c = part:byte(1, 3)
    local bits, out = a << 16 | (b or 0) << 8 | (c or 0), ""
    for i = 0, #part do
      local digit = (bits >> (18 - 6 * i) & 63) + 1
      out = out .. DIGITS:sub(digit, digit)
    end
    return out .. ("="):rep(3 - #part)
  end))
end

-- Works for a node of a dialect and for a client: both have post.
local function ask(node, path, body, timeout)
  local answer = node:post(path, next(body) and body or "{}", {timeout = timeout or 2})
  if answer.status ~= 200 then error{code = "rejected", message = ("%s: HTTP %d: %s"):format(path, answer.status, answer.body)} end
  return tfl.json.decode(answer.body)
end

local function status(node) return ask(node, "/v3/maintenance/status", {}) end

-- ---- the kind

local etcd = tfl.kind("etcd", {
  ports = {"client", "peer"}, api_port = "client", peer_port = "peer",
  command = function(n)
    local members, own = {}, nil
    for i, m in ipairs(n.cluster.nodes) do        -- m.host and m.port: where the others dial it, through relays
      local url = ("http://%s:%d"):format(m.host, m.port)
      members[i] = m.name .. "=" .. url
      if m.name == n.name then own = url end
    end
    local clients = ("http://%s:%d"):format(n.host, n.ports.client)
    return {
      "etcd", "--name", n.name, "--data-dir", n.dirs.data, "--heartbeat-interval", 50, "--election-timeout", 500,
      "--listen-client-urls", clients, "--advertise-client-urls", clients,
      "--listen-peer-urls", ("http://%s:%d"):format(n.host, n.ports.peer), "--initial-advertise-peer-urls", own,
      "--initial-cluster", table.concat(members, ","), "--initial-cluster-token", n.cluster.run_id,
    }
  end,
  ready = {http = "/health", body = function(text) return text:find('"health":"true"', 1, true) end},
  dialect = {
    info = function(node)
      local revision = math.tointeger(tonumber(status(node).header.revision))
      return {tip = revision, height = revision - 1}
    end,
    -- Each write has a key of its own, so the keys in the order of their revisions are the history.
    blocks = function(node)
      local last = {id = "1", revision = 1}
      node:block{id = last.id}
      while true do
        local reply = ask(node, "/v3/kv/range", {key = "AA==", range_end = "AA==", serializable = true, sort_target = "MOD",
          min_mod_revision = last.revision + 1})
        for _, kv in ipairs(reply.kvs or {}) do
          local revision = math.tointeger(tonumber(kv.mod_revision))
          node:block{id = revision .. " " .. kv.key .. " " .. (kv.value or ""), parent = last.id}
          last = {id = revision .. " " .. kv.key .. " " .. (kv.value or ""), revision = revision}
        end
        node:view{tip = last.id, lib = last.id}     -- what etcd has applied, it never takes back
        node:sleep "50ms"
      end
    end,
  },
})

-- ---- the work: writes all along, a leader that dies, a leader that is cut off

local writes = tfl.workload("writes", {acked = {}, unanswered = 0})

local function now(ctx) return ctx:run_duration() - ctx:remaining() end

function writes:write(ctx, i)
  local key, began = "w" .. i, now(ctx)
  local ok, reply = tfl.try(ask, ctx:random_node_client(), "/v3/kv/put", {key = base64(key), value = base64(tostring(i))}, 1)
  if ok then
    local revision = math.tointeger(tonumber(reply.header.revision))
    self.acked[#self.acked + 1] = {key = key, revision = revision, from = began, to = now(ctx)}
  else
    self.unanswered = self.unanswered + 1         -- it may or may not be there: nobody was promised anything
  end
end

function writes:write_on(ctx)
  for i in ctx:pace{rate = p.rate} do
    if self.over then return end
    ctx:spawn(self.write, self, ctx, i)           -- a member that does not answer holds up nobody
  end
end

-- The newest acknowledged write must be seen by whoever reads. A member that is cut off cannot know, and must not answer: only its own
-- copy (serializable) would, and that is what the twin reads.
function writes:read_on(ctx)
  while not self.over do
    local newest = self.acked[#self.acked]
    for _, client in ipairs(newest and ctx:node_clients() or {}) do
      local ok, reply = tfl.try(ask, client, "/v3/kv/range", {key = base64(newest.key), serializable = p.twin}, 1)
      if ok and not reply.kvs then ctx:fail("stale: %s was acknowledged, and %s does not have it", newest.key, client:name()) end
    end
    ctx:sleep "100ms"
  end
end

local function leader(ctx)
  for _, node in ipairs(ctx:nodes()) do
    local ok, s = tfl.try(status, node:client())
    if ok and s.leader == s.header.member_id then return node end
  end
end

function writes:start(ctx)
  ctx:spawn(self.write_on, self, ctx)
  ctx:spawn(self.read_on, self, ctx)
  ctx:sleep "1s"
  local old = ctx:eventually(function() return leader(ctx) end)
  old:kill()
  local new = ctx:eventually(function()
    local one = leader(ctx)
    return one and one.name ~= old.name and one
  end)
  ctx:log("%s was killed, %s leads", old.name, new.name)
  old:start()
  old:wait_ready()
  local before = #self.acked
  local cut = ctx:isolate(new)
  ctx:sleep "4s"
  tfl.try(ctx.eventually, ctx, function() return #self.acked > before end, {within = "20s"})
  ctx:figure("acknowledged during the cut", #self.acked - before)
  local counts = cut:heal()
  ctx:log("%s was cut off: %d bytes withheld, %d dials refused", new.name, counts.withheld, counts.refused)
  if counts.withheld == 0 then ctx:inconclusive("the cut withheld nothing") end
  if #self.acked == before then ctx:fail("no write was acknowledged while %s was cut off; two of three are enough", new.name) end
  ctx:sleep "3s"                                  -- writes after the cut, which all must come to have
  self.over = true
  local same = tfl.try(ctx.eventually, ctx, function()
    local revisions = {}
    for i, client in ipairs(ctx:node_clients()) do revisions[i] = status(client).header.revision end
    return revisions[1] == revisions[2] and revisions[2] == revisions[#revisions]
  end, {within = "15s"})
  if not same then ctx:fail("the members have not the same revision 15s after the last write") end
end

local linear = tfl.expectation("linear")
function linear:evaluate(ctx)
  if not writes.over then ctx:inconclusive("the work was cut short") end
  ctx:figure("acknowledged", #writes.acked)
  ctx:figure("unanswered", writes.unanswered)
  for i, one in ipairs(writes.acked) do           -- whoever was acknowledged before another was sent has the lower revision
    for j = i + 1, #writes.acked do
      local other = writes.acked[j]
      if one.to < other.from and one.revision >= other.revision then
        ctx:fail("%s was acknowledged before %s was sent, with revision %d and %d", one.key, other.key, one.revision, other.revision)
      end
    end
  end
  for _, client in ipairs(ctx:node_clients()) do   -- all that are up: every one, unless the work was cut short
    local reply, at = ask(client, "/v3/kv/range", {key = "AA==", range_end = "AA==", serializable = true}), {}
    for _, kv in ipairs(reply.kvs or {}) do at[kv.key] = tonumber(kv.mod_revision) end
    for _, one in ipairs(writes.acked) do
      if at[base64(one.key)] ~= one.revision then
        local there = at[base64(one.key)] or "none"
        ctx:fail("%s was acknowledged with revision %d; %s has it with %s", one.key, one.revision, client:name(), there)
      end
    end
  end
end

tfl.scenario("custom_kind")
  :topology_with(function(t) t:nodes(p.nodes):full():kind(etcd):slot_duration("1s") end)
  :enable_node_control{links = true}
  :with_workload(writes)
  :with_expectation(linear)
  :expect_recovery{within = "10s"}
  :expect_height_convergence()
  :build()

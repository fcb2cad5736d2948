-- Lists, ranges, shards and the order of cells: pure, without a program.
local axes = require "tfl.matrix.axes"

describe("a list of values", function()
    it("is parted by commas that are not escaped", function()
        assert.same({ "1", "3", "5" }, axes.values("1,3,5", "-p n"))
        assert.same({ "a,b", "c" }, axes.values("a\\,b,c", "-p n"))
        assert.same({ "a\\b" }, axes.values("a\\b", "-p n"))
    end)

    it("has no empty value, none twice, and nothing but text", function()
        for text, said in pairs { [""] = "value 1 is empty", ["1,,2"] = "value 2 is empty", ["1,2,1"] = "1 is there twice",
            ["a\255"] = "UTF%-8", ["a\nb"] = "control" } do
            local values, message = axes.values(text, "-p n")
            assert.is_nil(values)
            assert.truthy(message:find("^%-p n: ") and message:find(said), message)
        end
    end)
end)

describe("seeds", function()
    it("are ranges, numbers, or both", function()
        assert.same({ 1, 2, 3 }, axes.each_seed(axes.seeds "1..3"))
        assert.same({ 3, 7, 9 }, axes.each_seed(axes.seeds "3,7,9"))
        assert.same({ 1, 2, 9, 4, 5 }, axes.each_seed(axes.seeds "1..2,9,4..5"))
        assert.same({ 7 }, axes.each_seed(axes.seeds "7..7"))
    end)

    it("are refused with what is wrong", function()
        for text, said in pairs { ["5..1"] = "write 1%.%.5", ["a"] = "a is neither", ["1.."] = "neither", ["..3"] = "neither",
            ["1,,2"] = "empty part", ["1..3,2"] = "seed 2 is there twice", ["-1"] = "neither", ["1.5"] = "neither",
            ["99999999999999999999"] = "neither", [""] = "empty part" } do
            local ranges, message = axes.seeds(text)
            assert.is_nil(ranges, text)
            assert.truthy(message:find(said), message)
        end
    end)

    it("are counted without being made", function()
        local spec = { files = { "a" }, deployers = { "local" }, axes = { { name = "n", values = { "1", "2" } } },
            seeds = axes.seeds "1..9223372036854775806" }
        assert.is_true(axes.count(spec) > 1e19)
        spec.seeds = axes.seeds "1..20"
        assert.equal(40, axes.count(spec))
    end)
end)

describe("shards", function()
    it("are refused with what is wrong", function()
        for _, text in ipairs { "0/4", "5/4", "1", "a/b", "1/0", "-1/4", "1/2/3" } do
            local shard, message = axes.shard(text)
            assert.is_nil(shard, text)
            assert.truthy(message:find "2/4", message)
        end
    end)

    it("are apart, together the whole, and of about the same size", function()
        for of = 1, 7 do
            local seen, least, most = {}, math.huge, 0
            for index = 1, of do
                local n = 0
                for i = 1, 17 do
                    if axes.in_shard(axes.shard(index .. "/" .. of), i) then
                        assert.is_nil(seen[i], "cell " .. i .. " is in two shards of " .. of)
                        seen[i], n = true, n + 1
                    end
                end
                least, most = math.min(least, n), math.max(most, n)
            end
            assert.equal(17, #seen)
            assert.is_true(most - least <= 1)
        end
    end)
end)

describe("groups", function()
    it("turn the last axis first, then deployers, then files", function()
        local groups, names = axes.groups { files = { "a", "b" }, deployers = { "local", "compose" },
            axes = { { name = "n", values = { "1", "2" } }, { name = "s", values = { "x", "y" } } } }, {}
        for i, group in ipairs(groups) do
            names[i] = group.file .. " " .. group.deployer:sub(1, 1) .. " " .. group.params[1][2] .. group.params[2][2]
        end
        assert.equal(16, #names)
        assert.same({ "a l 1x", "a l 1y", "a l 2x", "a l 2y", "a c 1x" }, table.move(names, 1, 5, 1, {}))
        assert.equal("b c 2y", names[16])
    end)
end)

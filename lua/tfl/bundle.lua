--- The bundle of programs that LOGOS_BLOCKCHAIN_BINARIES_TAR names (scripts/build/build-bundle.sh makes them). It is unpacked once, to
--- a folder below the state folder that is named by the checksum of the file, and comes there whole or not at all.
local errors = require "tfl.errors"

local M = {}

local VARIABLE = "LOGOS_BLOCKCHAIN_BINARIES_TAR"
local SECONDS = 300 -- for each of the steps; a bundle may hold hundreds of megabytes
local UNUSED_DAYS = 30 -- after these an unpacked bundle is removed when another one comes

local opened = {} -- the folder by the file that it came from

--- Raises: whoever set the variable has to mend this.
local function refuse(file, fmt, ...)
    error(errors.new("usage", "%s=%s: %s", VARIABLE, file, fmt:format(...)), 0)
end

--- The file that the environment names. Raises usage when it is not there.
---@return string|nil file
function M.named()
    local file = os.getenv(VARIABLE)
    if not file or file == "" then return nil end
    local stat = require("tfl.core.sys").stat(file)
    if not stat then refuse(file, "there is no such file; scripts/build/build-bundle.sh --platform host makes one") end
    if stat.type ~= "file" then refuse(file, "it is no file") end
    return file
end

--- Runs a program; gives what tfl.exec gives, and the first line of its stderr.
local function run(argv)
    argv.timeout, argv.env = SECONDS, { LC_ALL = "C" }
    local result = require("tfl.core.proc").exec(argv)
    return result, result.stderr:match "[^\n]+"
end

--- Raises unless the folder holds a bundle whose files are those it was made of, for this machine.
local function check(file, folder)
    local version = require("tfl.core.sys").read_file(folder .. "/VERSION")
    local arch = version and version:match "\narch=([^\n]+)"
    if not arch then refuse(file, "it is no bundle of scripts/build/build-bundle.sh: it has no VERSION with an arch") end
    local own = run { "uname", "-m" }.stdout:match "%S*"
    if arch ~= own then refuse(file, "it is for %s, and this machine is %s; make one here with build-bundle.sh", arch, own) end
    local sums = run { "sha256sum", "--check", "--quiet", "--strict", "SHA256SUMS", cwd = folder }
    return sums.ok, (sums.stdout .. sums.stderr):match "[^\n]*"
end

local function unpack_into(file, folder)
    local made, why = run { "mkdir", "-p", "--", folder }
    if not made.ok then error(errors.new("io", "%s: %s", folder, why), 0) end
    local tar
    tar, why = run { "tar", "-xz", "--force-local", "--no-same-owner", "--strip-components=1", "--file=" .. file, "-C", folder }
    if tar.stderr:find("No space left", 1, true) then
        error(errors.new("disk_full", "no space is left to unpack %s to %s", file, folder), 0)
    elseif not tar.ok then
        refuse(file, "it cannot be unpacked, so it is truncated or no bundle (%s)", why)
    end
    local whole, first = check(file, folder)
    if not whole then refuse(file, "its files are not those it was made of (%s); get or make it anew", first) end
end

--- Unpacks beside the folder and renames. Two tfl may do so at once: one of them comes first, the other takes what is there.
local function unpack_to(file, folder)
    local proc, sys = require "tfl.core.proc", require "tfl.core.sys"
    local new = ("%s.new-%d-%d"):format(folder, sys.pid(), sys.random())
    local entry = proc.guardian_pid() and proc.ledger_add { undo = "folder", path = new }
    local ok, err = pcall(unpack_into, file, new)
    local renamed, why
    if ok then renamed, why = os.rename(new, folder) end
    if not renamed then run { "rm", "-rf", "--", new } end
    if entry then proc.ledger_done(entry) end
    if not ok then error(err, 0) end
    if not renamed and not sys.stat(folder) then error(errors.new("io", "%s", why), 0) end
    run { "find", folder:match "^(.*)/", "-mindepth", 1, "-maxdepth", 1, "-mtime", "+" .. UNUSED_DAYS, "-exec", "rm", "-rf", "{}", "+" }
end

--- Opens the bundle that the environment names, if it names one. Waits. Raises usage when the file is not fit, else io, disk_full.
function M.open()
    local file = M.named()
    if not file or opened[file] then return end
    local proc, sys = require "tfl.core.proc", require "tfl.core.sys"
    local result, why = run { "sha256sum", "--", file }
    local sum = result.stdout:match "^\\?(%x+)"
    if not result.ok or not sum then refuse(file, "it cannot be read (%s)", why) end
    local folder = proc.state_dir() .. "/bundles/" .. sum
    if sys.stat(folder) then
        local whole, first = check(file, folder)
        if not whole then
            error(errors.new("io", "%s: what was unpacked from %s has been changed since (%s); remove that folder", folder, file,
                first), 0)
        end
        run { "touch", "--", folder }
    else
        unpack_to(file, folder)
    end
    opened[file] = folder
end

--- A program of the bundle that was opened; nil when the environment names none.
---@param name string "tfl-node"
---@return string|nil path raises usage when the bundle does not hold it
function M.program(name)
    local file = M.named()
    if not file then return nil end
    if not opened[file] then error(errors.new("internal", "%s: %s was not opened yet", name, file), 0) end
    local path = opened[file] .. "/" .. name
    local stat = require("tfl.core.sys").stat(path)
    if not stat or not stat.executable then refuse(file, "it holds no %s", name) end
    return path
end

return M

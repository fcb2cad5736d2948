--- A small tree with the scripts of this one, in a folder with a space in its name: a CMake project whose program "tfl" prints its
--- arguments.
local support = require "spec.support"

local trees = {}

local quote = support.quote

local PRESETS = [[{"version": 4, "configurePresets": [
 {"name": "release", "generator": "Ninja", "binaryDir": "${sourceDir}/build/release"},
 {"name": "dev", "generator": "Ninja", "binaryDir": "${sourceDir}/build/dev"}]}]]
local CMAKE = [[
cmake_minimum_required(VERSION 3.22)
project(small LANGUAGES C)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
add_executable(tfl tfl.c)
]]
trees.PROGRAM = [[
#include <stdio.h>
int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        printf("[%s]", argv[i]);
    puts(VERSION);
    return argc == 1 ? 0 : 7;
}
]]

--- A tree in the folder of the test; gives its path.
function trees.make()
    local dir = support.dir() .. "/a tree"
    assert(0 == select(2, support.sh(("mkdir %s && cp -R %s/scripts %s"):format(quote(dir), quote(support.root), quote(dir)))))
    support.write(dir .. "/CMakePresets.json", PRESETS)
    support.write(dir .. "/CMakeLists.txt", CMAKE)
    support.write(dir .. "/tfl.c", (trees.PROGRAM:gsub("VERSION", '"one"')))
    return dir
end

--- support.run of one of its programs (scripts/run.sh).
function trees.run(dir, spec)
    spec.program = spec.program or dir .. "/scripts/run.sh"
    spec.cwd = spec.cwd or "/"
    return support.run(spec)
end

return trees

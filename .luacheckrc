std = "lua54"
max_line_length = 140
codes = true
ignore = { "212/self" } -- a hook or method gets it, whether it needs it or not
exclude_files = { "build/**" }
files["spec/**/*_spec.lua"] = { std = "+busted" }
files["scenarios/**"] = { read_globals = { "tfl" } }
files["lua/tfl/types/**"] = { globals = { "tfl" }, ignore = { "212" }, max_line_length = 160 } -- declarations for editors and tfl help api

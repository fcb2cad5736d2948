std = "lua54"
max_line_length = 130
codes = true
exclude_files = { "build/**" }
files["spec/**/*_spec.lua"] = { std = "+busted" }
files["scenarios/**"] = { read_globals = { "tfl" } }

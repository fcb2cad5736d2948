/* Made by spec/support/poseidon2.py, do not edit. */
/* clang-format off */
static const char V_MODULUS[] __attribute__((unused)) = "010000f093f5e1439170b97948e833285d588181b64550b829a031e1724e6430";
static const char V_BIGGEST[] __attribute__((unused)) = "000000f093f5e1439170b97948e833285d588181b64550b829a031e1724e6430";
static const char V_ALL_ONES_REDUCED[] __attribute__((unused)) = "faffff4f1c3496ac29cd609f9576fc362e4679786fa36e662fdf079ac1770a0e";
static const char V_COMPRESS_ZEROS[] __attribute__((unused)) = "823eaaa087cd69eaf1a5e3e9a70dc9135c0d3949ab885bd35b634db100dad12e";
static const char V_COMPRESS_BIGGEST[] __attribute__((unused)) = "eda0a9bfce254f92d525e1394df7e15a622d6a187b1b31b8837aa6a4019b1a09";
static const char V_DIGEST_NONE[] __attribute__((unused)) = "6566c9c88ecd62f3ecec98f62a8c2869b05592065b03f00483859aac8c4e3c06";
static const char V_DIGEST_BIGGEST[] __attribute__((unused)) = "c132b3720e88daf00d45037467958f62df5739b02cba86e890ee59f949e9f702";
static const char V_ZK_SK[] __attribute__((unused)) = "1a66f6ab42521b1ac82784e2e2d3abd2fb49e5e3312a2b5fc2ef9d3ecf365c16";
static const char V_ZK_PK[] __attribute__((unused)) = "852efb444db8c3c811625850df39425f43aeffc69571192c0be9f72523256e0a";
static const char V_NOTE_456[] __attribute__((unused)) = "d2ba42e33c2b23097425cd4d8c29efcf9298935bd4cdb0049e75aba3deacb510";
static const char V_NOTE_BIG[] __attribute__((unused)) = "3726d900a8a255556823dab85f17abc4735bcad5d18790ff70df5c50d6129b17";
static const char V_CHAIN_300[] __attribute__((unused)) = "a4b9f309437bca41456e3f5687c520e8ef5f8014f712c1920585aecd788c5e2f";

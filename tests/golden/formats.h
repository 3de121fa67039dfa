/* formats.h - written by make_formats.py: 64-bit FNV-1a of the bytes and of the decoded fp32 values. */
static const struct golden_format {
    const char *name;
    uint64_t bytes, values;
} golden_formats[] = {
    {"f16", 0x2ad9f715c2a856b4u, 0x82adcf692746bfb8u},
    {"bf16", 0x152c53e9f4d7d291u, 0xe7c1131ef6427899u},
    {"q4_0", 0xfd68a334b2ff48d1u, 0x8d67b333826b14adu},
    {"q4_1", 0x33a30d85892a3b66u, 0x5b05dfc9fcbc50e8u},
    {"q5_0", 0xa093c465770ec80fu, 0xd50be12b07e48e71u},
    {"q5_1", 0xa6f24fe4210d2b09u, 0x41c9d87203690a50u},
    {"q8_0", 0x2b08c2835c307c96u, 0xa259681a522c1deau},
    {"q2_k", 0xf4facfd27d65ae1au, 0x4806a32d09664272u},
    {"q3_k", 0x87cd4c44701f66e5u, 0x2c91d76ce0a01af5u},
    {"q4_k", 0x49d01c65a822d288u, 0xf0fa6fe67138f23eu},
    {"q5_k", 0x3b90cb698a2e750fu, 0x770d0ef1f76259d3u},
    {"q6_k", 0x0f2014fbd3382272u, 0xa6e54625f821f1d8u},
    {"iq4_nl", 0x73022f72362ad383u, 0x278b7bb4e7ebb056u},
    {"nf4", 0xf7e7e77de91efa18u, 0xb8d11035795be6a1u}, /* codes alone */
    {"nf4_dq", 0xf7e7e77de91efa18u, 0xb02bdf2999bdc4d1u}, /* codes alone */
    {"fp4", 0xb865348c4c0eb5feu, 0xa4328905aa102a86u}, /* codes alone */
    {"fp4_dq", 0xb865348c4c0eb5feu, 0x2350ff00b4715e22u}, /* codes alone */
};

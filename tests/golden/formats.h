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
    {"iq4_xs", 0x001c1c8b3dc09f8du, 0x984020a198302980u},
    {"tq1_0", 0x5301cba530ea8123u, 0xc36d2c83043553bdu},
    {"tq2_0", 0xc2888331b2528745u, 0xc36d2c83043553bdu},
    {"mxfp4", 0xdaab5442ad5e04eeu, 0xf12897afb4b1f4c7u},
    {"nvfp4", 0x748140a22dc01afbu, 0xf9d84649ae003f34u},
    {"q1_0", 0x76101545620178beu, 0xb58657db63521e25u},
    {"q2_0", 0xa6bd99c9f210ca07u, 0x24812063f0603e62u},
    {"nf4", 0xf7e7e77de91efa18u, 0xb8d11035795be6a1u}, /* codes alone */
    {"nf4_dq", 0xf7e7e77de91efa18u, 0xb02bdf2999bdc4d1u}, /* codes alone */
    {"fp4", 0xb865348c4c0eb5feu, 0xa4328905aa102a86u}, /* codes alone */
    {"fp4_dq", 0xb865348c4c0eb5feu, 0x2350ff00b4715e22u}, /* codes alone */
};

/* Blocks of random bytes, 1024 x 256 elements: of the decoded values, and values 3, 5000 and the last. */
static const struct golden_blocks {
    const char *name;
    uint64_t values;
    float some[3];
} golden_blocks[] = {
    {"q4_0", 0xc2250d38446fbe56u, {-0x1.4190000000000p-6f, -0x1.b238000000000p-5f, -0x1.7940000000000p+3f}},
    {"q4_1", 0xf4adcadef31ff71au, {-0x1.efae000000000p-5f, -0x1.6088000000000p-1f, -0x1.bbd8000000000p-5f}},
    {"q5_0", 0x081254ff411728d3u, {-0x1.61b8000000000p-5f, 0x1.4ec0000000000p-13f, -0x1.94b0000000000p-6f}},
    {"q5_1", 0x2bfef6f47def48acu, {-0x1.c8db000000000p-4f, -0x1.a2e0000000000p-2f, -0x1.403a800000000p+4f}},
    {"q8_0", 0xd9eb68096f39d5afu, {0x1.81e0000000000p-7f, 0x1.7a3e000000000p+3f, -0x1.bf00000000000p-5f}},
    {"q2_k", 0x7bf58c12027a7c66u, {0x1.fae0000000000p-5f, 0x1.2ccf9e0000000p+4f, -0x1.d058000000000p-4f}},
    {"q3_k", 0x5cc1f3d8a12d7cf5u, {0x1.1ee0000000000p-1f, -0x1.2070000000000p-4f, 0x1.b2c6000000000p-5f}},
    {"q4_k", 0x307da537eefe8b77u, {-0x1.6910a00000000p-1f, 0x1.06f5900000000p+5f, -0x1.8981560000000p+6f}},
    {"q5_k", 0xa24cf9f7dbac8f19u, {-0x1.ffcc200000000p-1f, -0x1.bea0000000000p+0f, -0x1.1796400000000p+4f}},
    {"q6_k", 0xac7d9ba32852238du, {-0x1.cf95000000000p+10f, -0x1.3064000000000p+1f, -0x1.66f6b00000000p+1f}},
    {"iq4_nl", 0x20eb0823f02f8d85u, {-0x1.1559000000000p-2f, -0x1.9334000000000p-1f, -0x1.5dbe000000000p+7f}},
    {"iq4_xs", 0xca893fb99360e2a0u, {-0x1.9cc1700000000p+2f, -0x1.2550000000000p+9f, 0x1.b240c00000000p+2f}},
    {"tq1_0", 0xc8571414e523de45u, {0x0.0p+0f, -0x1.6500000000000p-9f, -0x1.85c0000000000p-4f}},
    {"tq2_0", 0xcb9377ed7ffa23aeu, {-0x1.5d80000000000p-11f, -0x1.e200000000000p-7f, -0x0.0p+0f}},
    {"mxfp4", 0x1bf458eda05a9843u, {-0x1.8000000000000p-24f, 0x1.8000000000000p-9f, 0x1.8000000000000p-30f}},
    {"nvfp4", 0x3eff6f13ddb70cecu, {-0x1.e000000000000p-5f, -0x1.2000000000000p+0f, -0x1.4000000000000p+2f}},
    {"q1_0", 0xc7e963d5e29592a5u, {-0x1.0140000000000p-8f, 0x1.92c0000000000p-9f, 0x1.7f00000000000p-13f}},
    {"q2_0", 0xc8d47f83653f48d8u, {-0x1.0140000000000p-8f, 0x1.5000000000000p-1f, 0x0.0p+0f}},
    {"iq1_s", 0x941c8b1cabdb08e7u, {-0x1.2168000000000p-8f, -0x1.2994800000000p-9f, 0x1.4910000000000p-12f}},
    {"iq1_m", 0xe8015cde387c3411u, {0x1.47c4000000000p-13f, -0x1.b4a4000000000p-3f, -0x1.923a000000000p-5f}},
    {"iq2_xxs", 0x6ffacc6d0a89e48fu, {-0x1.23aad00000000p-1f, -0x1.29c0000000000p-8f, 0x1.2624000000000p-10f}},
    {"iq2_xs", 0x4f1a1a96e47f9feeu, {0x1.6c45200000000p-2f, -0x1.3a77200000000p-4f, 0x1.765d800000000p+0f}},
    {"iq2_s", 0xeb728ee4e238a630u, {-0x1.dd51c00000000p-3f, 0x1.cd2b300000000p+7f, -0x1.a898000000000p+1f}},
    {"iq3_xxs", 0xed23d0facbae945eu, {0x1.7bd8800000000p-1f, -0x1.1949000000000p+4f, -0x1.37c0000000000p-4f}},
    {"iq3_s", 0x0a4d470faade5619u, {0x1.99fe000000000p-3f, -0x1.4e9e800000000p+5f, -0x1.5c6f000000000p+2f}},
};

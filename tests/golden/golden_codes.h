/* golden_codes.h - written by make_codes.py: of each model in tests/golden/codes the type of its scales, and 64-bit FNV-1a of the
 * weights of q, k, v, o, gate, up, down in that type. */
static const struct golden_codes {
    const char *name, *type;
    uint64_t weights[7];
} golden_codes[] = {
    {"gptq-2", "f16", {0x743428beb28cf1d2u, 0x995c41baa6a3cf1au, 0x4ca1992462370c32u, 0x26f483e8b43dcdd9u, 0xa16cd77883be1d89u, 0xfd0d33e8a81fbf0cu, 0x95a7e6367dbcab22u}},
    {"gptq-3", "f16", {0xa092697940bfd469u, 0xf43ff7f239285284u, 0xbf478c5616e457b5u, 0xc0efd14a4c0c4a55u, 0xfd6c4b5eb2267f51u, 0xaf7853393d0de04cu, 0xf283a72e72b90438u}},
    {"gptq-4", "f16", {0x1466a8c05d9a0097u, 0x684c3a68a7495642u, 0x79f61a3b66378387u, 0x5978a9e5dac5e980u, 0xb26198d936b780bbu, 0x181dcf39e30caef1u, 0x5c6bf069703e0b97u}},
    {"gptq-8", "f16", {0x5d18b6f558baf7dcu, 0x69054dc115b4e450u, 0x2b1cbcadee7f96a5u, 0x80a11960100df6e3u, 0x89e987b0a2c4e611u, 0xdd4dc9ec35025595u, 0xac8093738c1b4845u}},
    {"gptq-4-order", "f16", {0x2b3e1ef27ed157adu, 0xaed88822c5d4cb17u, 0xe05923d1adff9556u, 0xada2b1733a02eb1eu, 0x914234dd251c9fcbu, 0x6b339ac8f50d7d10u, 0x76cb2e7b40959815u}},
    {"gptq-2-borrowed", "f16", {0xd020e4d08483f0fbu, 0x293f26c5450ac5beu, 0x2756f2e6aa634cceu, 0xd2132b41379854e7u, 0xafbfec9863126492u, 0xbb3765cf1ab10b97u, 0xe8a2ec25f5c9d611u}},
    {"gptq-3-borrowed", "f16", {0x8a59917f33dad127u, 0xcff546e9eeb26889u, 0x7589bac552cdfce8u, 0xb610e2aae420517au, 0xb4b1352631386946u, 0xf19c88d2af8adf45u, 0x37385454079672e6u}},
    {"gptq-4-borrowed", "f16", {0xfd9815f43272e40cu, 0x3822975e323ae5b7u, 0x10f420407aa545d3u, 0xb271012dc5d4df89u, 0x9db1ea710dc78864u, 0x9ff7abcf09bc4ae9u, 0x60f028f22567125fu}},
    {"gptq-8-borrowed", "f16", {0xace8cb9785ce6e78u, 0x628574b1080e7ac2u, 0x7a5b74da4f477b76u, 0x86a5b1bdfcc707e7u, 0xc8803c6566d36e16u, 0x76324d9dc516a785u, 0xe26990b18d4f668fu}},
    {"gptq_v2-3-rows", "f16", {0x8918a4483c72f9efu, 0x9b99c03e14f684c2u, 0x0340e129db842d69u, 0x6d3029fc83f43b93u, 0x764e7a25d141b4a0u, 0x36e8fc9e8db22221u, 0xfab40207ea69ae01u}},
    {"gptq_v2-4", "f16", {0x9fcca2cb08aba76bu, 0x4329f452fb35e8f2u, 0xce3d2dce6070d2abu, 0x8b4ef8d68f6c86d1u, 0x749c88638b79049fu, 0xa2a2b8f8fb149608u, 0x099ba7d29a194bf3u}},
    {"awq-gemm", "f16", {0x10e83f04d57c0629u, 0x05c7f2c5758f330eu, 0xee160883939ec59du, 0xab0e8452a90941d0u, 0xffd2a270584a6142u, 0x4727533ac343d0fau, 0xeeb3aff84ce465b9u}},
    {"awq-gemv", "f16", {0x3c335ce66fd50b00u, 0x8f14e04a082d717fu, 0xb292ccbda239cd1eu, 0x6d6c5557f5f7b04au, 0x7240237a43bb2249u, 0x31a7ec5506dbe48cu, 0x5ccacd4d16eb1e3fu}},
    {"packed-4", "f16", {0xc778017fd598cf8cu, 0xed4aeaa45d0b0ba9u, 0xdaa0a80997b95ae8u, 0xdf3ae19e70dfa6ebu, 0x90ab278bfd42df1du, 0xd461fc28ac6733ffu, 0x0336083590a65719u}},
    {"packed-4-bf16", "bf16", {0x45b79a6ac8c4d43cu, 0xe390deb8107bcb39u, 0xea0abe1e47670acdu, 0x9b863d2613744593u, 0x2fbfb7d4a70b1b77u, 0xb062a128597878e9u, 0xf181414450efc282u}},
    {"packed-4-zeros", "f16", {0x10e83f04d57c0629u, 0x05c7f2c5758f330eu, 0xee160883939ec59du, 0xac99ef35e62d9e8bu, 0x1d4030fd18782fadu, 0x4b2e9436e21705d2u, 0x2dc9de4f55c526c3u}},
    {"packed-3-rows", "f32", {0xdedf8104db88d21fu, 0xc1e2db8d6c500d3cu, 0x08a6472b352582dcu, 0x76eb1b8212954018u, 0xf1902657f3c4fc18u, 0x2cdbabe24060c571u, 0xc8125c95c22b42e3u}},
    {"packed-8", "f32", {0xf8492029f43a5dffu, 0x9a9d77ace8d5b274u, 0x556e728cbd777d29u, 0xb105ab8f62678e86u, 0xf3087f9a62d99199u, 0xe2ceaab3cef16924u, 0x17b0f07559a0c563u}},
    {"packed-4-order", "f16", {0xeb42a13f412ba9d6u, 0x108d320d24108987u, 0x7e86b806c63084d6u, 0x5827ac03200c24fau, 0x7d69744725c026ddu, 0x7e5e7d091c1fdc2du, 0x945012a09a304f6bu}},
    {"int8-rows", "f32", {0xc2e6fbbe44ef910eu, 0xe592544dd5bb080cu, 0xaa63435d7f7cc5bdu, 0xe0ac72fe1bd6e9b8u, 0xd223dd7532a8c7b9u, 0x5aab6e4820898a01u, 0x4d0e01a700523c11u}},
    {"int8-groups", "f32", {0xf8492029f43a5dffu, 0x9a9d77ace8d5b274u, 0x556e728cbd777d29u, 0xb105ab8f62678e86u, 0xf3087f9a62d99199u, 0xe2ceaab3cef16924u, 0x17b0f07559a0c563u}},
    {"llm-int8", "f32", {0xde8a4bd6c982e30bu, 0x5faaddcec9c5a54cu, 0xac3f14a78c9b1090u, 0xc367fc3d4a5908f8u, 0xec7f989a5860f54bu, 0xb2ea0ad41b18e4f2u, 0xbcdd8aec5c4ff979u}},
};

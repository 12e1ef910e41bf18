/* Made by tools/coefficients.py, which says how; do not edit. */
#ifndef LSECY_COEFFICIENTS_H
#define LSECY_COEFFICIENTS_H

/* ln 2 in two parts: k times the first is exact for whole |k| < 2^10 (float: 14 bits;
 * double: 38, for k in 16ths too). */
#define LN2_HIGH_FLOAT 0x1.62e8000000000p-1f
#define LN2_LOW_FLOAT -0x1.e8082e0000000p-16f
#define LN2_LOW_SHORT_FLOAT -0x1.e808000000000p-16f
#define LN2_HIGH_DOUBLE 0x1.62e42fefa0000p-1
#define LN2_LOW_DOUBLE 0x1.cf79abc9e3b3ap-40
#define LN2_LOW_SHORT_DOUBLE 0x1.cf79abc9e3800p-40
/* float(ln 2) / ln 2 - 1 */
#define LN2_EXCESS 0x1.79a8dc2f503a2p-29

/* exp(r) = 1 + r + r^2 Q(r), |r| <= 0.346574: relative error 2^-26.63 */
static const float EXP_FLOAT[] = {0x1.0000000000000p-1f, 0x1.5554de0000000p-3f, 0x1.55551a0000000p-5f, 0x1.120b620000000p-7f, 0x1.6d10fc0000000p-10f};

/* ln 2 in two full parts. */
#define LN2_NEAREST_FLOAT 0x1.62e4300000000p-1f
#define LN2_REST_FLOAT -0x1.05c6100000000p-29f
#define LN2_NEAREST_DOUBLE 0x1.62e42fefa39efp-1
#define LN2_REST_DOUBLE 0x1.abc9e3b39803fp-56

/* exp(r) = 1 + r Q(r), |r| <= 0.0108304: relative error 2^-24.16 */
static const float EXP_FLOAT_32[] = {0x1.0000f60000000p+0f, 0x1.00007a0000000p-1f};

/* exp(r) = 1 + r Q(r), |r| <= 0.0433217: relative error 2^-24.65 */
static const float EXP_FLOAT_8_SHORT[] = {0x1.0000000000000p+0f, 0x1.0007b00000000p-1f, 0x1.555b7c0000000p-3f};

/* exp(r) = 1 + r Q(r), |r| <= 0.0216608: relative error 2^-56.04 */
static const double EXP_DOUBLE_16_SHORT[] = {0x1.0000000000003p+0, 0x1.0000000000001p-1, 0x1.555555547d378p-3, 0x1.55555554e9468p-5, 0x1.11123cf1dba3ap-7, 0x1.6c17ed4cc4834p-10};

/* exp(r) = 1 + r Q(r), |r| <= 0.173287: relative error 2^-54.87 */
static const double EXP_DOUBLE_2_SHORT[] = {0x1.0000000000000p+0, 0x1.fffffffffff72p-2, 0x1.555555555553cp-3, 0x1.55555555d0749p-5, 0x1.111111113dd5cp-7, 0x1.6c16ba3715bffp-10, 0x1.a019fc625f878p-13, 0x1.a06a0023d50f7p-16, 0x1.7218670456ea9p-19};

/* exp(r) = 1 + r + r^2 Q(r), |r| <= 0.0216608: relative error 2^-27.68 */
static const float EXP_FLOAT_16[] = {0x1.0001480000000p-1f, 0x1.55565c0000000p-3f};

/* exp(r) = 1 + r + r^2 Q(r), |r| <= 0.0433217: relative error 2^-31.5 */
static const float EXP_FLOAT_8[] = {0x1.0000000000000p-1f, 0x1.555b7c0000000p-3f, 0x1.55596e0000000p-5f};

/* exp(r) = 1 + r + r^2 Q(r), |r| <= 0.173287: relative error 2^-60.82 */
static const double EXP_DOUBLE_2[] = {0x1.0000000000000p-1, 0x1.555555555553cp-3, 0x1.555555555554dp-5, 0x1.111111113dd5cp-7, 0x1.6c16c16c34997p-10, 0x1.a019fc625f878p-13, 0x1.a019fe21aa1b5p-16, 0x1.7218670456ea9p-19, 0x1.280bc3834ed99p-22};

/* exp(r) = 1 + r + r^2 Q(r), |r| <= 0.0216608: relative error 2^-36.53 */
static const double EXP_COARSE_16[] = {0x1.0000000000000p-1, 0x1.5556deec7a397p-3, 0x1.55565bb9f4932p-5};

/* exp(r) = 1 + r + r^2 Q(r), |r| <= 0.0216608: relative error 2^-54.98 */
static const double EXP_DOUBLE_16[] = {0x1.0000000000000p-1, 0x1.55555554dd44dp-3, 0x1.55555555194d2p-5, 0x1.11120af701debp-7, 0x1.6c17bb51f236dp-10};

/* exp(r) = 1 + r + r^2 Q(r), |r| <= 0.0433217: relative error 2^-56.48 */
static const double EXP_DOUBLE_16_WIDE[] = {0x1.000000000002ep-1, 0x1.555555555556ap-3, 0x1.5555554e945dbp-5, 0x1.1111110e10a41p-7, 0x1.6c1b70f434f0fp-10, 0x1.a01e2bdf0ac83p-13};

/* exp(r) = 1 + r + r^2 Q(r), |r| <= 0.0216608: relative error 2^-64.42 */
static const double EXP_PAIR_16[] = {0x1.0000000000001p-1, 0x1.5555555555556p-3, 0x1.55555554e9468p-5, 0x1.11111110e10a8p-7, 0x1.6c17ed4cc4834p-10, 0x1.a01b0c2edab7cp-13};

/* exp(r) = 1 + r + r^2 Q(r), |r| <= 0.346574: relative error 2^-37.79 */
static const double EXP_COARSE[] = {0x1.0000000000000p-1, 0x1.5555556750672p-3, 0x1.5555555c85f99p-5, 0x1.1110c63a4eed0p-7, 0x1.6c1685919d367p-10, 0x1.a15169e096556p-13, 0x1.a1131351400c3p-16};

/* exp(r) = 1 + r + r^2 Q(r), |r| <= 0.346574: relative error 2^-55.8 */
static const double EXP_DOUBLE[] = {0x1.0000000000001p-1, 0x1.5555555555556p-3, 0x1.5555555553d68p-5, 0x1.11111111109b5p-7, 0x1.6c16c17889ef1p-10, 0x1.a01a01a7c2efep-13, 0x1.a019b9149a41cp-16, 0x1.71de0db2f6b19p-19, 0x1.28917c89a43a7p-22, 0x1.af389ecfc4b9cp-26};

/* exp(r) = 1 + r + r^2 Q(r), |r| <= 0.346574: relative error 2^-61.36 */
static const double EXP_PAIR[] = {0x1.0000000000000p-1, 0x1.5555555555557p-3, 0x1.5555555555556p-5, 0x1.11111111100dfp-7, 0x1.6c16c16c162d6p-10, 0x1.a01a01abe62ddp-13, 0x1.a01a01a6d7808p-16, 0x1.71de02375656cp-19, 0x1.27e4db67b4303p-22, 0x1.af4ddd84882fep-26, 0x1.1f72fc730b4ffp-29};

/* log((1 + s) / (1 - s)) = 2 s + s z P(z), z = s^2 <= 0.02944: relative error 2^-43.1 */
static const double LOG_COARSE[] = {0x1.5555555564eb5p-1, 0x1.999998cae7df2p-2, 0x1.249323f4dad55p-2, 0x1.c67ad2107e9d4p-3, 0x1.8c8cac2ff1febp-3};

/* log((1 + s) / (1 - s)) = 2 s + s z P(z), z = s^2 <= 0.02944: relative error 2^-60.65 */
static const double LOG_PAIR[] = {0x1.5555555555555p-1, 0x1.9999999999998p-2, 0x1.249249249295ap-2, 0x1.c71c71c64c6e6p-3, 0x1.745d17d364797p-3, 0x1.3b137b2f2ef1bp-3, 0x1.111d282285abap-3, 0x1.debeb3c1b97c3p-4, 0x1.e6b13210d85a4p-4};

/* log((1 + s) / (1 - s)) = 2 s + s z P(z), z = s^2 <= 0.02944: relative error 2^-57.6 */
static const double LOG_FAR[] = {0x1.5555555555558p-1, 0x1.99999999952d8p-2, 0x1.2492492df26cep-2, 0x1.c71c62e40b94ep-3, 0x1.7462b5152e8a6p-3, 0x1.39fe52a20dc69p-3, 0x1.2b58f4c8d5f63p-3};

/* log(1 + r) = r + r^2 P(r), |r| <= 0.03125: absolute error 2^-41.78 */
static const double LOG_NEAR[] = {-0x1.0000000000000p-1, 0x1.5555527935b30p-2, -0x1.fffffafebfbd4p-3, 0x1.99f5191afadcap-3, -0x1.55a5655875f2ap-3};

/* -log(1 - u) = u + u^2 Q(u), |u| <= 0.03125: absolute error 2^-60.28 */
static const double LOG_BELOW[] = {0x1.ffffffffffff3p-2, 0x1.555555555554ap-2, 0x1.0000000066907p-2, 0x1.9999999a5415cp-3, 0x1.5555454f53a61p-3, 0x1.24923a9363f54p-3, 0x1.006683c32b3a0p-3, 0x1.c7d6d6880307cp-4};

/* -log(1 - u) = u + u^2 Q(u), |u| <= 0.03125: absolute error 2^-34.97 */
static const float LOG_BELOW_FLOAT[] = {0x1.fffffe0000000p-2f, 0x1.5555540000000p-2f, 0x1.002ab20000000p-2f, 0x1.99e2ca0000000p-3f};

/* i next to 1 / c, c = (24 + j) / 32 for j < 8, then (8 + j) / 16, times 2^127 (double 2^1023), and -log(i) less as
 * many ln 2 (LN2_HIGH), of which 17 (double 42) bits after the point are all but nothing off */
static const double INVERSES[] = {0x1.555554a5b36d2p+1023, 0x1.47ae1478c5e2ap+1023, 0x1.3b13b0d3854a3p+1023, 0x1.2f684a8cb9817p+1023, 0x1.24924a0e711abp+1023, 0x1.1a7b95b56a712p+1023, 0x1.1111114ec1a00p+1023, 0x1.08421627b280dp+1023, 0x1.0000000000000p+1023, 0x1.e1e1df0cbe04ap+1022, 0x1.c71c71355621bp+1022, 0x1.af286be437d70p+1022, 0x1.9999997d7453ap+1022, 0x1.861861b6a57a4p+1022, 0x1.745d173fd855ep+1022, 0x1.642c850578004p+1022};
static const double INVERSES_LOG[] = {-0x1.62b049a784a50p+9, -0x1.62ab10000ff90p+9, -0x1.62a60ad0b6910p+9, -0x1.62a1362382ca8p+9, -0x1.629c8e728c916p+9, -0x1.62981092a8f8ep+9, -0x1.6293b9b01bd1ep+9, -0x1.628f873dc1cc4p+9, -0x1.628b76e3a4180p+9, -0x1.6283b456b3762p+9, -0x1.627c635fc402cp+9, -0x1.627577b33b310p+9, -0x1.626ee6ebd3b1cp+9, -0x1.6268a82a5caf0p+9, -0x1.6262b3cc1dd1ap+9, -0x1.625d033384978p+9};
static const float FLOAT_INVERSES[] = {0x1.55774c0000000p+127f, 0x1.47d6c40000000p+127f, 0x1.3b0b420000000p+127f, 0x1.2e9a580000000p+127f, 0x1.2496280000000p+127f, 0x1.1a6a140000000p+127f, 0x1.1123a20000000p+127f, 0x1.0848960000000p+127f, 0x1.0000000000000p+127f, 0x1.e1de4c0000000p+126f, 0x1.c6cc860000000p+126f, 0x1.af44da0000000p+126f, 0x1.99b1800000000p+126f, 0x1.86147e0000000p+126f, 0x1.748b300000000p+126f, 0x1.63dafe0000000p+126f};
static const float FLOAT_INVERSES_LOG[] = {-0x1.61492c0000000p+6f, -0x1.611f780000000p+6f, -0x1.60f6b40000000p+6f, -0x1.60cd720000000p+6f, -0x1.60aafa0000000p+6f, -0x1.6086be0000000p+6f, -0x1.60648c0000000p+6f, -0x1.6042cc0000000p+6f, -0x1.6022300000000p+6f, -0x1.5fe4140000000p+6f, -0x1.5fa8e00000000p+6f, -0x1.5f727a0000000p+6f, -0x1.5f3dec0000000p+6f, -0x1.5f0bb00000000p+6f, -0x1.5edc960000000p+6f, -0x1.5eada80000000p+6f};

/* 2^(j / 16), j = 0 .. 15, and what rounding took from it: LOW of the whole, REST of 1;
 * BARE: its bits less j / 16 of an exponent */
static const double SIXTEENTHS[] = {0x1.0000000000000p+0, 0x1.0b5586cf9890fp+0, 0x1.172b83c7d517bp+0, 0x1.2387a6e756238p+0, 0x1.306fe0a31b715p+0, 0x1.3dea64c123422p+0, 0x1.4bfdad5362a27p+0, 0x1.5ab07dd485429p+0, 0x1.6a09e667f3bcdp+0, 0x1.7a11473eb0187p+0, 0x1.8ace5422aa0dbp+0, 0x1.9c49182a3f090p+0, 0x1.ae89f995ad3adp+0, 0x1.c199bdd85529cp+0, 0x1.d5818dcfba487p+0, 0x1.ea4afa2a490dap+0};
static const double SIXTEENTHS_REST[] = {0x0.0p+0, 0x1.79aa65d837b6dp-54, -0x1.01b15eaa59348p-55, 0x1.68efde3a8a894p-54, 0x1.34d754db0abb6p-55, 0x1.59f48a72a4c6dp-55, 0x1.690cebb7aafb0p-56, 0x1.063e1e21c5409p-54, -0x1.3b3efbf5e2228p-54, -0x1.b32dcb94da51dp-56, 0x1.db72fc1f0eab4p-55, 0x1.1affc2b91ce27p-56, 0x1.c1a7792cb3387p-55, 0x1.36eae30af0cb3p-56, 0x1.4a385a63d07a7p-56, -0x1.ff7128fd391f0p-55};
static const double SIXTEENTHS_BARE[] = {0x1.0000000000000p+0, 0x1.fb5586cf9890fp-1, 0x1.f72b83c7d517bp-1, 0x1.f387a6e756238p-1, 0x1.f06fe0a31b715p-1, 0x1.edea64c123422p-1, 0x1.ebfdad5362a27p-1, 0x1.eab07dd485429p-1, 0x1.ea09e667f3bcdp-1, 0x1.ea11473eb0187p-1, 0x1.eace5422aa0dbp-1, 0x1.ec49182a3f090p-1, 0x1.ee89f995ad3adp-1, 0x1.f199bdd85529cp-1, 0x1.f5818dcfba487p-1, 0x1.fa4afa2a490dap-1};
static const double SIXTEENTHS_LOW[] = {0x0.0p+0, 0x1.8a62e4adc610bp-54, -0x1.19041b9d78a76p-55, 0x1.9b07eb6c70573p-54, 0x1.6f46ad23182e4p-55, 0x1.ada0911f09ebcp-55, 0x1.d4397afec42e2p-56, 0x1.6324c054647adp-54, -0x1.bdd3413b26456p-54, -0x1.41577ee04992fp-55, 0x1.6e9f156864b27p-54, 0x1.c7c46b071f2bep-56, 0x1.7a1cd345dcc81p-54, 0x1.11065895048ddp-55, 0x1.2ed02d75b3707p-55, -0x1.e9c23179c2893p-54};

/* The same for float, 2^(j / 8) and 2^(j / 32) */
static const float FLOAT_SIXTEENTHS[] = {0x1.0000000000000p+0f, 0x1.0b55860000000p+0f, 0x1.172b840000000p+0f, 0x1.2387a60000000p+0f, 0x1.306fe00000000p+0f, 0x1.3dea640000000p+0f, 0x1.4bfdae0000000p+0f, 0x1.5ab07e0000000p+0f, 0x1.6a09e60000000p+0f, 0x1.7a11480000000p+0f, 0x1.8ace540000000p+0f, 0x1.9c49180000000p+0f, 0x1.ae89fa0000000p+0f, 0x1.c199be0000000p+0f, 0x1.d5818e0000000p+0f, 0x1.ea4afa0000000p+0f};
static const float FLOAT_SIXTEENTHS_REST[] = {0x0.0p+0f, 0x1.8d96d40000000p-25f, -0x1.9c0c220000000p-27f, 0x1.9649040000000p-25f, 0x1.1250020000000p-25f, 0x1.370be40000000p-25f, -0x1.0a35500000000p-25f, -0x1.00d8ac0000000p-27f, 0x1.26055c0000000p-26f, -0x1.05cb440000000p-25f, 0x1.67a1ca0000000p-28f, 0x1.a3b5e40000000p-28f, -0x1.f9c3040000000p-27f, -0x1.6961b40000000p-28f, -0x1.a5217c0000000p-28f, 0x1.61428e0000000p-28f};
static const float FLOAT_SIXTEENTHS_BARE[] = {0x1.0000000000000p+0f, 0x1.fb55860000000p-1f, 0x1.f72b840000000p-1f, 0x1.f387a60000000p-1f, 0x1.f06fe00000000p-1f, 0x1.edea640000000p-1f, 0x1.ebfdae0000000p-1f, 0x1.eab07e0000000p-1f, 0x1.ea09e60000000p-1f, 0x1.ea11480000000p-1f, 0x1.eace540000000p-1f, 0x1.ec49180000000p-1f, 0x1.ee89fa0000000p-1f, 0x1.f199be0000000p-1f, 0x1.f5818e0000000p-1f, 0x1.fa4afa0000000p-1f};
static const float FLOAT_EIGHTHS[] = {0x1.0000000000000p+0f, 0x1.172b840000000p+0f, 0x1.306fe00000000p+0f, 0x1.4bfdae0000000p+0f, 0x1.6a09e60000000p+0f, 0x1.8ace540000000p+0f, 0x1.ae89fa0000000p+0f, 0x1.d5818e0000000p+0f};
static const float FLOAT_EIGHTHS_REST[] = {0x0.0p+0f, -0x1.9c0c220000000p-27f, 0x1.1250020000000p-25f, -0x1.0a35500000000p-25f, 0x1.26055c0000000p-26f, 0x1.67a1ca0000000p-28f, -0x1.f9c3040000000p-27f, -0x1.a5217c0000000p-28f};
static const float FLOAT_EIGHTHS_BARE[] = {0x1.0000000000000p+0f, 0x1.f72b840000000p-1f, 0x1.f06fe00000000p-1f, 0x1.ebfdae0000000p-1f, 0x1.ea09e60000000p-1f, 0x1.eace540000000p-1f, 0x1.ee89fa0000000p-1f, 0x1.f5818e0000000p-1f};
static const float FLOAT_THIRTYSECONDS[] = {0x1.0000000000000p+0f, 0x1.059b0e0000000p+0f, 0x1.0b55860000000p+0f, 0x1.11301e0000000p+0f, 0x1.172b840000000p+0f, 0x1.1d48740000000p+0f, 0x1.2387a60000000p+0f, 0x1.29e9e00000000p+0f, 0x1.306fe00000000p+0f, 0x1.371a740000000p+0f, 0x1.3dea640000000p+0f, 0x1.44e0860000000p+0f, 0x1.4bfdae0000000p+0f, 0x1.5342b60000000p+0f, 0x1.5ab07e0000000p+0f, 0x1.6247ec0000000p+0f, 0x1.6a09e60000000p+0f, 0x1.71f75e0000000p+0f, 0x1.7a11480000000p+0f, 0x1.82589a0000000p+0f, 0x1.8ace540000000p+0f, 0x1.93737c0000000p+0f, 0x1.9c49180000000p+0f, 0x1.a5503c0000000p+0f, 0x1.ae89fa0000000p+0f, 0x1.b7f7700000000p+0f, 0x1.c199be0000000p+0f, 0x1.cb720e0000000p+0f, 0x1.d5818e0000000p+0f, 0x1.dfc9740000000p+0f, 0x1.ea4afa0000000p+0f, 0x1.f507660000000p+0f};

/* And 2^(j / 2), twice, to fill a vector */
static const double HALF_STEPS[] = {0x1.0000000000000p+0, 0x1.6a09e667f3bcdp+0, 0x1.0000000000000p+0, 0x1.6a09e667f3bcdp+0};
static const double HALF_STEPS_REST[] = {0x0.0p+0, -0x1.3b3efbf5e2228p-54, 0x0.0p+0, -0x1.3b3efbf5e2228p-54};
static const double HALF_STEPS_BARE[] = {0x1.0000000000000p+0, 0x1.ea09e667f3bcdp-1, 0x1.0000000000000p+0, 0x1.ea09e667f3bcdp-1};

#endif

/* Made by tools/coefficients.py, which says how; do not edit. */
#ifndef LSECY_COEFFICIENTS_H
#define LSECY_COEFFICIENTS_H

/* ln 2 in two parts: k times the first is exact for whole |k| < 2^10 (float: 14 bits;
 * double: 38, for k in 16ths too). */
#define LN2_HIGH_FLOAT 0x1.62e8000000000p-1f
#define LN2_LOW_FLOAT -0x1.e8082e0000000p-16f
#define LN2_HIGH_DOUBLE 0x1.62e42fefa0000p-1
#define LN2_LOW_DOUBLE 0x1.cf79abc9e3b3ap-40

/* exp(r) = 1 + r + r^2 Q(r), |r| <= 0.346574: relative error 2^-26.63 */
static const float EXP_FLOAT[] = {0x1.0000000000000p-1f, 0x1.5554de0000000p-3f, 0x1.55551a0000000p-5f, 0x1.120b620000000p-7f, 0x1.6d10fc0000000p-10f};

/* exp(r) = 1 + r + r^2 Q(r), |r| <= 0.0216608: relative error 2^-36.53 */
static const double EXP_COARSE_16[] = {0x1.0000000000000p-1, 0x1.5556deec7a397p-3, 0x1.55565bb9f4932p-5};

/* exp(r) = 1 + r + r^2 Q(r), |r| <= 0.0216608: relative error 2^-54.98 */
static const double EXP_DOUBLE_16[] = {0x1.0000000000000p-1, 0x1.55555554dd44dp-3, 0x1.55555555194d2p-5, 0x1.11120af701debp-7, 0x1.6c17bb51f236dp-10};

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

/* 2^(j / 16), j = 0 .. 15, and what rounding took from it */
static const double SIXTEENTHS[] = {0x1.0000000000000p+0, 0x1.0b5586cf9890fp+0, 0x1.172b83c7d517bp+0, 0x1.2387a6e756238p+0, 0x1.306fe0a31b715p+0, 0x1.3dea64c123422p+0, 0x1.4bfdad5362a27p+0, 0x1.5ab07dd485429p+0, 0x1.6a09e667f3bcdp+0, 0x1.7a11473eb0187p+0, 0x1.8ace5422aa0dbp+0, 0x1.9c49182a3f090p+0, 0x1.ae89f995ad3adp+0, 0x1.c199bdd85529cp+0, 0x1.d5818dcfba487p+0, 0x1.ea4afa2a490dap+0};
static const double SIXTEENTHS_LOW[] = {0x0.0p+0, 0x1.8a62e4adc610bp-54, -0x1.19041b9d78a76p-55, 0x1.9b07eb6c70573p-54, 0x1.6f46ad23182e4p-55, 0x1.ada0911f09ebcp-55, 0x1.d4397afec42e2p-56, 0x1.6324c054647adp-54, -0x1.bdd3413b26456p-54, -0x1.41577ee04992fp-55, 0x1.6e9f156864b27p-54, 0x1.c7c46b071f2bep-56, 0x1.7a1cd345dcc81p-54, 0x1.11065895048ddp-55, 0x1.2ed02d75b3707p-55, -0x1.e9c23179c2893p-54};

#endif

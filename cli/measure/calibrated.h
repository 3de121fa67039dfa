/* calibrated.h - whether a text is what a model was calibrated by. */
#ifndef IB_CLI_MEASURE_CALIBRATED_H
#define IB_CLI_MEASURE_CALIBRATED_H

/* A line on standard error where a GGUF file says that it was quantized by a text of this name. */
void warn_of_calibration(const char *model, const char *text);

#endif

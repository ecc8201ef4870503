/* The head of every text of kernels. Few includes: they are compiled anew with each text. */
#include <stdint.h>
#include <string.h>

#define ADDRESS(type, word) ((type *)(intptr_t)(word))

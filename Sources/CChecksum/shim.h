#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The processor's CRC32C instruction, which Swift has no name for. It takes three cycles and a new one can begin in each: three streams at once
   keep it busy. */
#if defined(__x86_64__)
#define SLUICE_CRC_TARGET __attribute__((target("sse4.2")))
#define sluice_crc_step(crc, word) ((uint32_t)__builtin_ia32_crc32di((crc), (word)))
#define sluice_crc_byte(crc, byte) __builtin_ia32_crc32qi((crc), (byte))
static inline int sluice_has_crc32c(void) { return __builtin_cpu_supports("sse4.2"); }
#elif defined(__aarch64__)
#include <sys/auxv.h>
#define SLUICE_CRC_TARGET __attribute__((target("crc")))
#define sluice_crc_step(crc, word) __builtin_arm_crc32cd((crc), (word))
#define sluice_crc_byte(crc, byte) __builtin_arm_crc32cb((crc), (byte))
static inline int sluice_has_crc32c(void) { return (getauxval(AT_HWCAP) & (1 << 7)) != 0; }
#endif

#ifdef SLUICE_CRC_TARGET
/* Registers without the inversions at both ends. */
SLUICE_CRC_TARGET static inline uint32_t sluice_crc32c(uint32_t crc, const uint8_t *bytes, size_t count) {
    uint64_t word;
    for (; count >= 8; bytes += 8, count -= 8) {
        memcpy(&word, bytes, 8);
        crc = sluice_crc_step(crc, word);
    }
    for (; count > 0; bytes++, count--) crc = sluice_crc_byte(crc, *bytes);
    return crc;
}

/* Three neighbouring stretches of `words` words each. */
SLUICE_CRC_TARGET static inline void sluice_crc32c_thirds(const uint8_t *bytes, size_t words, uint32_t *a, uint32_t *b, uint32_t *c) {
    uint32_t x = *a, y = *b, z = *c;
    const uint8_t *second = bytes + words * 8, *third = second + words * 8;
    uint64_t word;
    for (size_t i = 0; i < words * 8; i += 8) {
        memcpy(&word, bytes + i, 8);
        x = sluice_crc_step(x, word);
        memcpy(&word, second + i, 8);
        y = sluice_crc_step(y, word);
        memcpy(&word, third + i, 8);
        z = sluice_crc_step(z, word);
    }
    *a = x, *b = y, *c = z;
}
#else
static inline int sluice_has_crc32c(void) { return 0; }
static inline uint32_t sluice_crc32c(uint32_t crc, const uint8_t *bytes, size_t count) { return crc; }
static inline void sluice_crc32c_thirds(const uint8_t *bytes, size_t words, uint32_t *a, uint32_t *b, uint32_t *c) {}
#endif

/* startup.c - reset: data into RAM, FPU and MVE on where there are any, then main; a fault ends the simulation. */
#include <stdint.h>

extern uint32_t _data_from[], _data[], _data_end[], _bss[], _bss_end[], _stack_end[];
int main(void);

/* Semihosting: operation in r0, argument in r1 (Arm's specification). */
int32_t semihosting(int32_t operation, const void *argument)
{
    register int32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

void stop(int code)
{
    const uint32_t how[2] = {0x20026, (uint32_t)code}; /* ADP_Stopped_ApplicationExit */
    semihosting(0x20, how);                            /* SYS_EXIT_EXTENDED */
    for (;;) {
    }
}

void reset(void)
{
    uint32_t *from = _data_from, *to;
    for (to = _data; to < _data_end;)
        *to++ = *from++;
    for (to = _bss; to < _bss_end;)
        *to++ = 0;
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
    *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20; /* CPACR: coprocessors 10 and 11 */
    __asm__ volatile("dsb\n isb");
#endif
    stop(main());
}

static void fault(void)
{
    semihosting(4, "fault\n"); /* SYS_WRITE0 */
    stop(99);
}

__attribute__((section(".vectors"), used)) static void (*const vectors[16])(void) = {
    (void (*)(void))(uintptr_t)_stack_end,
    reset,
    fault,
    fault,
    fault,
    fault,
    fault,
    0,
    0,
    0,
    0,
    fault,
    fault,
    0,
    fault,
    fault};

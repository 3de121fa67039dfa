/* main.c - runs the samples that the exporter put into the network's source, then one inference by the clock. */
#include <stdint.h>

#include HEADER

#define JOIN2(a, b) a##b
#define JOIN(a, b) JOIN2(a, b)
#define SELF_TEST JOIN(NET, _self_test)
#define RUN JOIN(NET, _run)

extern uint32_t _stack[], _stack_end[];
int32_t semihosting(int32_t operation, const void *argument);

static void say(const char *text)
{
    semihosting(4, text); /* SYS_WRITE0 */
}

static void say_number(uint32_t n)
{
    char digits[12];
    int at = 11;
    digits[at] = 0;
    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    say(digits + at);
}

/* SysTick counts down at the processor's clock. In QEMU with -icount shift=0 an instruction takes a nanosecond, so a
 * tick is 40 instructions on the MPS2 boards (25 MHz), 50 on the AN505 (20 MHz) and 31.25 on the AN547 (32 MHz). */
#define SYST ((volatile uint32_t *)0xE000E010)

int main(void)
{
    static int8_t input[16384], output[1024];
    uint32_t *p, *here, ticks, used;
    int32_t wrong;
    __asm__ volatile("mov %0, sp" : "=r"(here));
    for (p = _stack; p < here - 16; p++) /* paint what is not in use */
        *p = 0xA5A5A5A5u;
    wrong = SELF_TEST();
    SYST[1] = 0xFFFFFF;
    SYST[2] = 0;
    SYST[0] = 5;
    RUN(input, output);
    ticks = 0xFFFFFF - SYST[2];
    for (p = _stack; p < _stack_end && *p == 0xA5A5A5A5u; p++) {
    }
    used = (uint32_t)((char *)_stack_end - (char *)p);
    say("wrong ");
    say_number((uint32_t)wrong);
    say(" ticks ");
    say_number(ticks);
    say(" stack ");
    say_number(used);
    say("\n");
    return wrong != 0;
}

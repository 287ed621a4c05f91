// Has a server say the time, in seconds since 1970, that is in a file: loaded before it by
// LD_PRELOAD, with the file's name in TEST_CLOCK.
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

int gettimeofday(struct timeval *now, void *zone) {
    (void)zone;
    const char *name = getenv("TEST_CLOCK");
    FILE *file = name ? fopen(name, "r") : NULL;
    long long seconds = 0;
    int found = file && fscanf(file, "%lld", &seconds) == 1;
    if (file) fclose(file);
    if (!found) abort();
    now->tv_sec = seconds;
    now->tv_usec = 0;
    return 0;
}

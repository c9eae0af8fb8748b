/* libfaketime turns the deadline of pthread_cond_timedwait from the time that it shows into the
 * system's, but not that of C11's cnd_timedwait, by which librdkafka waits: a deadline of years ago
 * would end each of its waits at once. In glibc the two have the same objects. */
#include <errno.h>
#include <pthread.h>
#include <threads.h>

int cnd_timedwait(cnd_t *condition, mtx_t *mutex, const struct timespec *deadline) {
    int error = pthread_cond_timedwait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex, deadline);
    return error == 0 ? thrd_success : error == ETIMEDOUT ? thrd_timedout : thrd_error;
}

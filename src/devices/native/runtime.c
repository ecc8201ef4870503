/* Memory, threads and the launch of kernels: C11 and POSIX, called from JavaScript. Addresses and sizes travel as doubles, exact below 2^53. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__) || defined(__i386__)
#define relax() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define relax() __asm__ volatile("yield")
#else
#define relax() ((void)0)
#endif

typedef void (*kernel_function)(const double *args, int64_t begin, int64_t end, char *scratch);

static void *pointer(double address) { return (void *)(intptr_t)address; }
static double address(const void *p) { return (double)(intptr_t)p; }

/* ---- Libraries of kernels: never unloaded, since threads may still be in them at exit. ---- */

double sluice_load(const char *path) { return address(dlopen(path, RTLD_NOW | RTLD_LOCAL)); }

double sluice_symbol(double library, const char *name) { return address(dlsym(pointer(library), name)); }

const char *sluice_load_error(void) {
  const char *message = dlerror();
  return message == NULL ? "" : message;
}

/* The file that a function is in, and what a function without parameters says: the BLAS that was found. */
const char *sluice_file_of(double function) {
  Dl_info info;
  return dladdr(pointer(function), &info) == 0 || info.dli_fname == NULL ? "" : info.dli_fname;
}

const char *sluice_answer_of(double function) { return ((const char *(*)(void))(intptr_t)function)(); }

/* Libraries read the environment as they are loaded; the host's own view of it may be a copy. */
void sluice_set_environment(const char *name, const char *value) {
  if (value[0] == '\0') unsetenv(name);
  else setenv(name, value, 1);
}

/* ---- Products by a BLAS, which computes on the calling thread alone: each item is a part of one product of a batch. ---- */

typedef void (*sgemm_function)(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha,
                               const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc);

enum { ROW_MAJOR = 101, PLAIN = 111, TRANSPOSED = 112 };

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

void sluice_blas(const double *args, int64_t begin, int64_t end, char *scratch) {
  (void)scratch;
  const sgemm_function sgemm = (sgemm_function)(intptr_t)args[0];
  const int64_t m = (int64_t)args[1], n = (int64_t)args[2], k = (int64_t)args[3];
  const int64_t rows = (int64_t)args[4], columns = (int64_t)args[5]; /* of one part */
  const float *a = pointer(args[6]), *b = pointer(args[7]);
  float *c = pointer(args[8]);
  const int64_t a_batch = (int64_t)args[9], b_batch = (int64_t)args[10], c_batch = (int64_t)args[11];
  const int64_t lda = (int64_t)args[12], ldb = (int64_t)args[13], ldc = (int64_t)args[14];
  const int turn_a = args[15] != 0, turn_b = args[16] != 0;
  const float beta = (float)args[17];
  const int64_t across = (n + columns - 1) / columns, parts = across * ((m + rows - 1) / rows);
  for (int64_t item = begin; item < end; item++) {
    const int64_t batch = item / parts, part = item % parts;
    const int64_t row = part / across * rows, column = part % across * columns;
    sgemm(ROW_MAJOR, turn_a ? TRANSPOSED : PLAIN, turn_b ? TRANSPOSED : PLAIN, (int)least(rows, m - row),
          (int)least(columns, n - column), (int)k, 1.0f, a + batch * a_batch + row * (turn_a ? 1 : lda), (int)lda,
          b + batch * b_batch + column * (turn_b ? ldb : 1), (int)ldb, beta, c + batch * c_batch + row * ldc + column,
          (int)ldc);
  }
}

/* Some read the environment only now. */
void sluice_first_product(double sgemm) {
  const float one = 1;
  float result;
  ((sgemm_function)(intptr_t)sgemm)(ROW_MAJOR, PLAIN, PLAIN, 1, 1, 1, 1.0f, &one, 1, &one, 1, 0.0f, &result, 1);
}

/* ---- Memory: address space for all that the arena may ever hold; pages come when they are touched. ---- */

enum { HUGE_PAGE = 1 << 21 };

double sluice_reserve(double bytes) {
  size_t size = (size_t)bytes + HUGE_PAGE;
  char *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) return 0;
  char *aligned = (char *)(((uintptr_t)base + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1));
  if (aligned > base) munmap(base, (size_t)(aligned - base));
  size_t tail = (size_t)(base + size - (aligned + (size_t)bytes));
  if (tail > 0) munmap(aligned + (size_t)bytes, tail);
#ifdef MADV_HUGEPAGE
  madvise(aligned, (size_t)bytes, MADV_HUGEPAGE);
#endif
  return address(aligned);
}

void sluice_release(double base, double bytes) { munmap(pointer(base), (size_t)bytes); }

void sluice_copy_in(double to, const void *from, double bytes) { memcpy(pointer(to), from, (size_t)bytes); }

void sluice_copy_out(void *to, double from, double bytes) { memcpy(to, pointer(from), (size_t)bytes); }

static uint32_t *copy_axes(uint32_t *to, const uint32_t *from, const double *shape, const double *strides, int rank) {
  int64_t size = (int64_t)shape[0], stride = (int64_t)strides[0];
  for (int64_t i = 0; i < size; i++) {
    if (rank == 1) *to++ = from[i * stride];
    else to = copy_axes(to, from + i * stride, shape + 1, strides + 1, rank - 1);
  }
  return to;
}

/* A strided view of 4-byte elements in row-major order; the view has at least one axis. */
void sluice_copy_view(void *to, double from, const double *shape, const double *strides, int rank) {
  copy_axes(to, pointer(from), shape, strides, rank);
}

/* ---- Threads. ---- */

/* `state` packs all that must change at once: the job's number, whether it may be joined, and how many workers are in it. */
#define JOB ((uint64_t)1 << 32)
#define OPEN ((uint64_t)1 << 31)
#define INSIDE (OPEN - 1)
#define jobOf(state) ((state) >> 32)

/* Long enough to meet the next launch of a busy host, short enough to leave the core to others. */
enum { SPIN_NANOSECONDS = 60000, PAUSES_PER_LOOK = 64 };

struct pool {
  _Alignas(128) _Atomic uint64_t state;
  _Alignas(128) _Atomic int64_t next;
  _Alignas(128) kernel_function kernel;
  const double *args;
  int64_t count, grain;
  char *scratch;
  size_t stride;
  _Atomic int sleepers;
  _Atomic bool stopping;
  _Atomic bool waiting; /* the caller sleeps until the last worker has left */
  pthread_mutex_t mutex;
  pthread_cond_t work, done;
  int threads;
  struct worker {
    struct pool *pool;
    pthread_t id;
    int thread;
  } workers[];
};

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void run_chunks(struct pool *pool, int thread) {
  const int64_t count = pool->count, grain = pool->grain;
  char *scratch = pool->scratch == NULL ? NULL : pool->scratch + (size_t)thread * pool->stride;
  for (;;) {
    int64_t begin = atomic_fetch_add(&pool->next, grain);
    if (begin >= count) return;
    int64_t end = count - begin < grain ? count : begin + grain;
    pool->kernel(pool->args, begin, end, scratch);
  }
}

/* Enters the open job unless it is the one done last; a closed job can no longer be entered, so that nobody waits for a sleeper. */
static bool join_job(struct pool *pool, uint64_t *last) {
  uint64_t state = atomic_load(&pool->state);
  while ((state & OPEN) != 0 && jobOf(state) != *last) {
    if (!atomic_compare_exchange_weak(&pool->state, &state, state + 1)) continue;
    *last = jobOf(state);
    return true;
  }
  return false;
}

static void leave_job(struct pool *pool) {
  uint64_t state = atomic_fetch_sub(&pool->state, 1) - 1;
  if ((state & (OPEN | INSIDE)) != 0 || !atomic_load(&pool->waiting)) return;
  pthread_mutex_lock(&pool->mutex);
  pthread_cond_signal(&pool->done);
  pthread_mutex_unlock(&pool->mutex);
}

static bool spin_for_job(struct pool *pool, uint64_t *last) {
  int64_t until = now() + SPIN_NANOSECONDS;
  do {
    for (int i = 0; i < PAUSES_PER_LOOK; i++) {
      if (join_job(pool, last)) return true;
      relax();
    }
  } while (now() < until && !atomic_load(&pool->stopping));
  return false;
}

static bool sleep_for_job(struct pool *pool, uint64_t *last) {
  bool joined = false;
  pthread_mutex_lock(&pool->mutex);
  atomic_fetch_add(&pool->sleepers, 1);
  while (!atomic_load(&pool->stopping) && !(joined = join_job(pool, last)))
    pthread_cond_wait(&pool->work, &pool->mutex);
  atomic_fetch_sub(&pool->sleepers, 1);
  pthread_mutex_unlock(&pool->mutex);
  return joined;
}

static void *work(void *argument) {
  struct worker *self = argument;
  struct pool *pool = self->pool;
  uint64_t last = 0;
  while (spin_for_job(pool, &last) || sleep_for_job(pool, &last)) {
    run_chunks(pool, self->thread);
    leave_job(pool);
  }
  return NULL;
}

/* Fewer threads than asked for where the system gives no more; 0 if there is no memory. */
double sluice_pool_open(int threads) {
  struct pool *pool;
  size_t size = sizeof(struct pool) + (size_t)(threads - 1) * sizeof(struct worker);
  if (posix_memalign((void **)&pool, 128, size) != 0) return 0;
  memset(pool, 0, size);
  pthread_mutex_init(&pool->mutex, NULL);
  pthread_cond_init(&pool->work, NULL);
  pthread_cond_init(&pool->done, NULL);
  sigset_t all, before; /* signals are the host's: none may interrupt a worker */
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pool->threads = 1;
  for (int i = 0; i < threads - 1; i++) {
    pool->workers[i] = (struct worker){.pool = pool, .thread = i + 1};
    if (pthread_create(&pool->workers[i].id, NULL, work, &pool->workers[i]) != 0) break;
    pool->threads++;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return address(pool);
}

int sluice_pool_threads(double handle) { return ((struct pool *)pointer(handle))->threads; }

void sluice_pool_close(double handle) {
  struct pool *pool = pointer(handle);
  pthread_mutex_lock(&pool->mutex);
  atomic_store(&pool->stopping, true);
  pthread_cond_broadcast(&pool->work);
  pthread_mutex_unlock(&pool->mutex);
  for (int i = 0; i < pool->threads - 1; i++) pthread_join(pool->workers[i].id, NULL);
  free(pool->scratch);
  free(pool);
}

static void wait_for_workers(struct pool *pool) {
  int64_t until = 0;
  while ((atomic_load(&pool->state) & INSIDE) != 0) {
    for (int i = 0; i < PAUSES_PER_LOOK; i++) relax();
    if (until == 0) until = now() + SPIN_NANOSECONDS;
    if (now() < until) continue;
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->waiting, true);
    while ((atomic_load(&pool->state) & INSIDE) != 0) pthread_cond_wait(&pool->done, &pool->mutex);
    atomic_store(&pool->waiting, false);
    pthread_mutex_unlock(&pool->mutex);
  }
}

static bool ensure_scratch(struct pool *pool, size_t bytes) {
  if (bytes <= pool->stride) return true;
  size_t stride = (bytes + 127) / 128 * 128;
  char *scratch;
  if (posix_memalign((void **)&scratch, 128, stride * (size_t)pool->threads) != 0) return false;
  free(pool->scratch);
  pool->scratch = scratch;
  pool->stride = stride;
  return true;
}

/* Runs items 0 to count, handed out in chunks of grain, and returns when all are done; 0 without memory for the scratch. */
int sluice_launch(double handle, double kernel, const double *args, double count, double grain, double scratch_bytes) {
  struct pool *pool = pointer(handle);
  if (!ensure_scratch(pool, (size_t)scratch_bytes)) return 0;
  kernel_function function = (kernel_function)(intptr_t)kernel;
  if (pool->threads == 1 || count <= grain) {
    function(args, 0, (int64_t)count, pool->scratch);
    return 1;
  }
  pool->kernel = function;
  pool->args = args;
  pool->count = (int64_t)count;
  pool->grain = (int64_t)grain;
  atomic_store(&pool->next, 0);
  atomic_store(&pool->state, ((jobOf(atomic_load(&pool->state)) + 1) * JOB) | OPEN);
  if (atomic_load(&pool->sleepers) > 0) {
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->mutex);
  }
  run_chunks(pool, 0);
  atomic_fetch_and(&pool->state, ~OPEN);
  wait_for_workers(pool);
  return 1;
}

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

/* ---- Threads: launches wait in a queue, so that the host computes the next ones while these run. ---- */

/* Long enough to meet the next launch of a busy host, short enough to leave the core to others. */
enum { SPIN_NANOSECONDS = 60000, PAUSES_PER_LOOK = 64 };
enum { JOBS = 512, MOST_WORDS = 256 };

struct job {
  kernel_function kernel;
  int64_t count, grain;
  _Atomic uint32_t chunks;
  _Alignas(128) _Atomic uint32_t done;
  double args[MOST_WORDS];
};

/*
 * Jobs run one after the other, each by all threads that are free: half of them take chunks from its front, the others
 * from its back, so that on two cores each finds in its cache what it wrote before. `ticket` packs what must change at
 * once: the number of the job that runs (mod 2^32), and how many chunks were taken at its front and its back. Who ends
 * a job's last chunk turns to the next job.
 */
#define JOB ((uint64_t)1 << 32)
#define BACK ((uint64_t)1 << 16)
#define FRONT ((uint64_t)1)
enum { MOST_CHUNKS = 0xffff };
#define job_of(ticket) ((uint32_t)((ticket) >> 32))
#define back_of(ticket) ((uint32_t)(ticket) >> 16)
#define front_of(ticket) ((uint32_t)(ticket) & 0xffff)
#define taken_of(ticket) (back_of(ticket) + front_of(ticket))

struct pool {
  _Alignas(128) _Atomic uint64_t ticket;
  _Alignas(128) _Atomic uint32_t queued; /* jobs, by the host alone */
  _Atomic int sleepers;
  _Atomic bool stopping;
  pthread_mutex_t mutex;
  pthread_cond_t news;
  char *scratch;
  size_t stride;
  struct pool *next;
  struct job jobs[JOBS];
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

static bool is_done(struct pool *pool) { return job_of(atomic_load(&pool->ticket)) == atomic_load(&pool->queued); }

static bool leaves_chunk(struct pool *pool, uint64_t ticket) {
  return job_of(ticket) != atomic_load(&pool->queued) &&
         taken_of(ticket) < atomic_load(&pool->jobs[job_of(ticket) % JOBS].chunks);
}

static bool has_chunk(struct pool *pool) { return leaves_chunk(pool, atomic_load(&pool->ticket)); }

static void wake(struct pool *pool) {
  if (atomic_load(&pool->sleepers) == 0) return;
  pthread_mutex_lock(&pool->mutex);
  pthread_cond_broadcast(&pool->news);
  pthread_mutex_unlock(&pool->mutex);
}

/* Runs a chunk of the job at hand, if it has one left; gives whether it did. */
static bool run_chunk(struct pool *pool, int thread) {
  const bool at_back = thread % 2 != 0;
  uint64_t ticket = atomic_load(&pool->ticket);
  do {
    if (!leaves_chunk(pool, ticket)) return false;
  } while (!atomic_compare_exchange_weak(&pool->ticket, &ticket, ticket + (at_back ? BACK : FRONT)));
  struct job *job = &pool->jobs[job_of(ticket) % JOBS];
  const uint32_t chunks = atomic_load(&job->chunks);
  const int64_t chunk = at_back ? chunks - 1 - back_of(ticket) : front_of(ticket), begin = chunk * job->grain;
  char *scratch = pool->scratch == NULL ? NULL : pool->scratch + (size_t)thread * pool->stride;
  job->kernel(job->args, begin, least(begin + job->grain, job->count), scratch);
  if (atomic_fetch_add(&job->done, 1) + 1 == chunks) {
    atomic_store(&pool->ticket, (uint64_t)(job_of(ticket) + 1) * JOB);
    wake(pool);
  }
  return true;
}

typedef bool condition(struct pool *pool);

static bool has_room(struct pool *pool) {
  return atomic_load(&pool->queued) - job_of(atomic_load(&pool->ticket)) < JOBS;
}
static bool is_done_or_has_chunk(struct pool *pool) { return is_done(pool) || has_chunk(pool); }
static bool has_room_or_chunk(struct pool *pool) { return has_room(pool) || has_chunk(pool); }
static bool stops_or_has_chunk(struct pool *pool) { return atomic_load(&pool->stopping) || has_chunk(pool); }

/* Looks out for a while, then sleeps. */
static void wait_until(struct pool *pool, condition *holds) {
  const int64_t until = now() + SPIN_NANOSECONDS;
  do {
    for (int i = 0; i < PAUSES_PER_LOOK; i++) {
      if (holds(pool)) return;
      relax();
    }
  } while (now() < until);
  pthread_mutex_lock(&pool->mutex);
  atomic_fetch_add(&pool->sleepers, 1);
  while (!holds(pool)) pthread_cond_wait(&pool->news, &pool->mutex);
  atomic_fetch_sub(&pool->sleepers, 1);
  pthread_mutex_unlock(&pool->mutex);
}

static void *work(void *argument) {
  struct worker *self = argument;
  while (!atomic_load(&self->pool->stopping))
    if (!run_chunk(self->pool, self->thread)) wait_until(self->pool, stops_or_has_chunk);
  return NULL;
}

/* The host takes part until it holds. */
static void help_until(struct pool *pool, condition *holds, condition *holds_or_has_chunk) {
  while (!holds(pool))
    if (!run_chunk(pool, 0)) wait_until(pool, holds_or_has_chunk);
}

static void finish(struct pool *pool) { help_until(pool, is_done, is_done_or_has_chunk); }

/* Returns when all jobs are done. */
void sluice_finish(double handle) { finish(pointer(handle)); }

/* Pools that are open: at exit their threads must have left libraries, which clean up after themselves then. */
static struct pool *open_pools;
static pthread_mutex_t open_pools_mutex = PTHREAD_MUTEX_INITIALIZER;

/* Workers end what they are at; what is queued is left. */
static void stop(struct pool *pool) {
  pthread_mutex_lock(&pool->mutex);
  atomic_store(&pool->stopping, true);
  pthread_cond_broadcast(&pool->news);
  pthread_mutex_unlock(&pool->mutex);
  for (int i = 0; i < pool->threads - 1; i++) pthread_join(pool->workers[i].id, NULL);
}

static void stop_all(void) {
  pthread_mutex_lock(&open_pools_mutex);
  for (struct pool *pool = open_pools; pool != NULL; pool = pool->next) stop(pool);
  open_pools = NULL;
  pthread_mutex_unlock(&open_pools_mutex);
}

static void stop_all_at_exit(void) { atexit(stop_all); }

/* Fewer threads than asked for where the system gives no more; 0 if there is no memory. */
double sluice_pool_open(int threads) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  struct pool *pool;
  size_t size = sizeof(struct pool) + (size_t)(threads - 1) * sizeof(struct worker);
  if (posix_memalign((void **)&pool, 128, size) != 0) return 0;
  memset(pool, 0, size);
  pthread_mutex_init(&pool->mutex, NULL);
  pthread_cond_init(&pool->news, NULL);
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
  pthread_once(&once, stop_all_at_exit);
  pthread_mutex_lock(&open_pools_mutex);
  pool->next = open_pools;
  open_pools = pool;
  pthread_mutex_unlock(&open_pools_mutex);
  return address(pool);
}

int sluice_pool_threads(double handle) { return ((struct pool *)pointer(handle))->threads; }

void sluice_pool_close(double handle) {
  struct pool *pool = pointer(handle);
  pthread_mutex_lock(&open_pools_mutex);
  for (struct pool **at = &open_pools; *at != NULL; at = &(*at)->next)
    if (*at == pool) {
      *at = pool->next;
      break;
    }
  pthread_mutex_unlock(&open_pools_mutex);
  stop(pool);
  free(pool->scratch);
  free(pool);
}

static bool ensure_scratch(struct pool *pool, size_t bytes) {
  if (bytes <= pool->stride) return true;
  finish(pool);
  size_t stride = (bytes + 127) / 128 * 128;
  char *scratch;
  if (posix_memalign((void **)&scratch, 128, stride * (size_t)pool->threads) != 0) return false;
  free(pool->scratch);
  pool->scratch = scratch;
  pool->stride = stride;
  return true;
}

/*
 * Queues items 0 to count, handed out in chunks of grain, behind all that was queued before; 0 without memory for the
 * scratch. A lone thread runs them at once.
 */
int sluice_launch(double handle, double kernel, const double *args, int words, double count, double grain,
                  double scratch_bytes) {
  struct pool *pool = pointer(handle);
  if (!ensure_scratch(pool, (size_t)scratch_bytes)) return 0;
  kernel_function function = (kernel_function)(intptr_t)kernel;
  if (pool->threads == 1) {
    function(args, 0, (int64_t)count, pool->scratch);
    return 1;
  }
  help_until(pool, has_room, has_room_or_chunk);
  const uint32_t number = atomic_load(&pool->queued);
  struct job *job = &pool->jobs[number % JOBS];
  job->kernel = function;
  job->count = (int64_t)count;
  job->grain = (int64_t)grain * ((int64_t)count / (int64_t)grain / MOST_CHUNKS + 1);
  memcpy(job->args, args, sizeof(double) * (size_t)words);
  atomic_store(&job->done, 0);
  atomic_store(&job->chunks, (uint32_t)((job->count + job->grain - 1) / job->grain));
  atomic_store(&pool->queued, number + 1);
  wake(pool);
  return 1;
}

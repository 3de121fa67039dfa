/* device.h - where the arithmetic runs. */
#ifndef ISOBIT_DEVICE_H
#define ISOBIT_DEVICE_H

#include <isobit/api.h>
#include <isobit/status.h>

IB_BEGIN_API

typedef struct ib_device ib_device;

/* A device must outlive the graphs, optimizers and runners that use it; several may share it. A child process after
 * fork() may go on with everything that its parent had.
 *
 * Opens "cpu" at the best level that this machine has, or at the named one: "cpu:ref" is plain C without BLAS, the
 * specification, "cpu:base" plain C and BLAS, each further one a set of instructions; ib_device_name_at() names them.
 * NULL reads the environment variable ISOBIT_DEVICE and else means "cpu". Integer results are the same at every level;
 * fp32 results differ by rounding between levels. The error of a name that is none lists the devices that open here,
 * and why the others do not, which takes opening each.
 *
 * From the first "cpu" on, a thread looks up to twenty times a second whether others of this process have to wait for a
 * core. While they do, threads of OpenMP that wait for others sleep after microseconds instead of milliseconds (a
 * sleeping thread for each core is what that takes with GCC's runtime), and a step of training, from ib_graph_begin to
 * ib_optim_step, has of the threads asked for only the share that gets a core, unless they are bound to places
 * (OMP_PROC_BIND). Neither where the environment has OMP_WAIT_POLICY, GOMP_SPINCOUNT or KMP_BLOCKTIME. */
ib_device *ib_device_open(const char *name);
void ib_device_close(ib_device *dev); /* NULL is fine */

const char *ib_device_name(const ib_device *dev); /* for example "cpu:avx2" */
/* What computes the products of a device that is no processor, in one line: its libraries with their versions and
 * files, or why its own kernels do (docs/cuda.md); "" where the processor does. It holds as long as the device. */
const char *ib_device_products(const ib_device *dev);
/* The levels of this build, i = 0, 1, ... from "cpu:ref" to the fastest; NULL behind the last. Those that the machine
 * lacks do not open. */
const char *ib_device_name_at(int i);

/* Threads used from now on, by the whole process; 0 = as many as the machine has. No result depends on it. */
ib_status ib_threads_set(int threads);
int ib_threads(void);

IB_END_API
#endif

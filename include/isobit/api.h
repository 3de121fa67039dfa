/* api.h - what encloses the declarations of each public header: C's names, which a shared library shows. */
#ifndef ISOBIT_API_H
#define ISOBIT_API_H

#ifdef __GNUC__
#define IB_SHOWN _Pragma("GCC visibility push(default)")
#define IB_HIDDEN _Pragma("GCC visibility pop")
#else
#define IB_SHOWN
#define IB_HIDDEN
#endif

#ifdef __cplusplus
#define IB_BEGIN_API                                                                                                   \
    IB_SHOWN extern "C"                                                                                                \
    {
#define IB_END_API                                                                                                     \
    }                                                                                                                  \
    IB_HIDDEN
#else
#define IB_BEGIN_API IB_SHOWN
#define IB_END_API IB_HIDDEN
#endif

#endif

/* host_graphs.cpp - captures of one stream, and the graphs that come of them: lists of what is to run. */
#include "backends/cuda/host/host_inner.h"

struct ib_host_graph {
    std::vector<ib_host_work> nodes;
};
struct ib_host_exec {
    std::vector<ib_host_work> nodes;
};

/* ---- what a capture forbids ---- */

static cudaError_t spoil(cudaStream_t s, const char *call, const char *why)
{
    s->capture->spoilt = true;
    return ib_host_refuse(cudaErrorStreamCaptureUnsupported, "%s: %s", call, why);
}

cudaError_t ib_host_spoils(cudaStream_t stream, const char *call)
{
    cudaError_t error = cudaSuccess;
    for (const cudaStream_t s : ib_host_streams)
        if (s->capture && (!stream || s == stream))
            error = spoil(s, call, "the stream captures");
    return error;
}

cudaError_t ib_host_unsafe(const char *call)
{
    cudaError_t error = cudaSuccess;
    for (const cudaStream_t s : ib_host_streams)
        if (s->capture && s->capture->mode != cudaStreamCaptureModeRelaxed)
            error = spoil(s, call, "a stream captures, and that is unsafe");
    return error;
}

cudaError_t ib_host_spoils_own(const char *call)
{
    cudaError_t error = ib_host_unsafe(call);
    for (const cudaStream_t s : ib_host_streams)
        if (s->capture && s->capture->by == std::this_thread::get_id())
            error = spoil(s, call, "the thread captures a stream");
    return error;
}

cudaError_t ib_host_capture_node(cudaStream_t stream, ib_host_work what)
{
    if (stream->capture->spoilt)
        return ib_host_refuse(cudaErrorStreamCaptureInvalidated, "the stream's capture was spoilt before");
    if (what.kind == IB_HOST_OTHER)
        return spoil(stream, "a call", "the stream captures");
    stream->capture->nodes.push_back(what);
    return cudaSuccess;
}

/* ---- captures ---- */

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode)
{
    IB_HOST_CALL();
    if (ib_host_broken())
        return ib_host_broken();
    if (!ib_host_is_stream(stream))
        return ib_host_refuse(cudaErrorStreamCaptureUnsupported, "cudaStreamBeginCapture: no stream");
    if (stream->capture)
        return ib_host_refuse(cudaErrorIllegalState, "cudaStreamBeginCapture: the stream captures already");
    stream->capture.reset(new ib_host_capture{mode, std::this_thread::get_id(), false, {}});
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
    IB_HOST_CALL();
    *graph = NULL;
    if (!ib_host_is_stream(stream) || !stream->capture)
        return ib_host_refuse(cudaErrorIllegalState, "cudaStreamEndCapture: the stream does not capture");
    const std::unique_ptr<ib_host_capture> capture = std::move(stream->capture);
    if (ib_host_broken())
        return ib_host_broken();
    if (capture->spoilt)
        return ib_host_refuse(cudaErrorStreamCaptureInvalidated, "cudaStreamEndCapture: the capture was spoilt");
    *graph = new ib_host_graph{std::move(capture->nodes)};
    return cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus *status)
{
    IB_HOST_CALL();
    if (!ib_host_is_stream(stream))
        return ib_host_refuse(cudaErrorInvalidResourceHandle, "cudaStreamIsCapturing: no stream");
    *status = !stream->capture          ? cudaStreamCaptureStatusNone
              : stream->capture->spoilt ? cudaStreamCaptureStatusInvalidated
                                        : cudaStreamCaptureStatusActive;
    return cudaSuccess;
}

/* ---- graphs ---- */

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t *nodes, size_t *n)
{
    IB_HOST_CALL();
    if (nodes)
        return ib_host_refuse(cudaErrorInvalidValue, "cudaGraphGetNodes: only their number is there");
    *n = graph->nodes.size();
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    IB_HOST_CALL();
    delete graph;
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long flags)
{
    IB_HOST_CALL();
    if (flags)
        return ib_host_refuse(cudaErrorInvalidValue, "cudaGraphInstantiate: no flags are there");
    *exec = new ib_host_exec{graph->nodes};
    ib_host_count.made++;
    return cudaSuccess;
}

static cudaError_t cannot_take(cudaGraphExecUpdateResultInfo *info, cudaGraphExecUpdateResult why)
{
    info->result = why;
    return ib_host_refuse(cudaErrorGraphExecUpdateFailure, "cudaGraphExecUpdate: another graph (%d)", (int)why);
}

/* All or nothing is taken. */
cudaError_t cudaGraphExecUpdate(cudaGraphExec_t exec, cudaGraph_t graph, cudaGraphExecUpdateResultInfo *info)
{
    IB_HOST_CALL();
    *info = cudaGraphExecUpdateResultInfo{};
    if (exec->nodes.size() != graph->nodes.size())
        return cannot_take(info, cudaGraphExecUpdateErrorTopologyChanged);
    for (size_t i = 0; i < exec->nodes.size(); i++) {
        if (exec->nodes[i].kind != graph->nodes[i].kind)
            return cannot_take(info, cudaGraphExecUpdateErrorNodeTypeChanged);
        if (exec->nodes[i].direction != graph->nodes[i].direction)
            return cannot_take(info, cudaGraphExecUpdateErrorParametersChanged);
    }
    exec->nodes = graph->nodes;
    ib_host_count.updated++;
    return cudaSuccess;
}

/* As it is now: what is updated or destroyed later does not matter to it. */
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
    IB_HOST_CALL();
    if (!ib_host_is_stream(stream))
        return ib_host_refuse(cudaErrorInvalidResourceHandle, "cudaGraphLaunch: no stream");
    cudaError_t error = ib_host_spoils(stream, "cudaGraphLaunch");
    ib_host_count.graphs += !error;
    for (size_t i = 0; i < exec->nodes.size() && !error; i++) {
        if (exec->nodes[i].look)
            exec->nodes[i].look();
        error = ib_host_queue(stream, exec->nodes[i]);
    }
    return error;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    IB_HOST_CALL();
    delete exec;
    return cudaSuccess;
}

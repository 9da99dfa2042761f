// The walk of ds3sim's traces by hand: what a kernel written for one card can do, to measure ours against.
// The same random stream and tables, so the counts are equal bit for bit. The histogram is in shared memory, and so is
// the table where it fits; a thread takes the next trace as soon as one ends.
//
// A warp's 32 counters of a bin would be faster still for few bins; 16-byte look-ups of two entries would not.

typedef unsigned int u32;
typedef unsigned long long u64;

__device__ __forceinline__ u32 turned(u32 x, int by) { return __funnelshift_l(x, x, by); }

__device__ __forceinline__ void threefry(u32 key0, u32 key1, u32 &x0, u32 &x1) {
    const u32 keys[3] = {key0, key1, key0 ^ key1 ^ 0x1BD11BDAu};
    const int by[2][4] = {{13, 15, 26, 6}, {17, 29, 16, 24}};
    x0 += keys[0];
    x1 += keys[1];
#pragma unroll
    for (int group = 0; group < 5; group++) {
#pragma unroll
        for (int round = 0; round < 4; round++) {
            x0 += x1;
            x1 = turned(x1, by[group & 1][round]) ^ x0;
        }
        x0 += keys[(group + 1) % 3];
        x1 += keys[(group + 2) % 3] + group + 1;
    }
}

// table: (threshold, outcome) pairs. counts: 2 * max_steps + 4 bins, as ds3sim's endings.
// Launched with blocks of any size; shared memory: the counts, and the table where ``local`` says so.
extern "C" __global__ void __launch_bounds__(256) walk(
    const uint2 *__restrict__ table, u32 entries, u32 local, u32 key0, u32 key1, u32 first, u32 count, u32 columns,
    u32 transient, u32 steps, u32 rounds, u32 max_steps, u64 *counts) {
    extern __shared__ uint2 space[];
    u32 *own = (u32 *)(space + (local ? entries : 0));
    const u32 bins = 2 * max_steps + 4;
    for (u32 i = threadIdx.x; i < bins; i += blockDim.x) own[i] = 0;
    if (local)
        for (u32 i = threadIdx.x; i < entries; i += blockDim.x) space[i] = table[i];
    __syncthreads();
    const u32 stride = gridDim.x * blockDim.x, begin = transient * columns;
    u32 trace = blockIdx.x * blockDim.x + threadIdx.x, time = 0, entry = begin;
    while (trace < count) {
        u32 word0 = first + trace, word1 = time;
        threefry(key0, key1, word0, word1);
        const u32 at = entry + (word0 & (columns - 1));
        const uint2 found = local ? space[at] : __ldg(table + at);
        const u32 code = word1 < found.x ? found.y & 0xFFFFu : found.y >> 16;
        time++;
        entry = code * columns;
        if (code >= transient || time >= rounds) {
            const u32 left = code - transient;
            u32 ending = 0;
            if (code >= transient) {
                const u32 died = left > steps;
                const u32 when = (time - 1) * steps + left - died * (steps + 1);
                if (when <= max_steps) ending = 2 + 2 * when + died;
            }
            atomicAdd(own + ending, 1u);
            trace += stride;
            time = 0;
            entry = begin;
        }
    }
    __syncthreads();
    for (u32 i = threadIdx.x; i < bins; i += blockDim.x)
        if (own[i]) atomicAdd(counts + i, (u64)own[i]);
}

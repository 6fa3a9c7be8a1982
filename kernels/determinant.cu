// ln|det K| of symmetric positive semidefinite matrices, a block each: LDLᵀ without pivoting, in f64.
//
// Columns go in panels of 32. A panel's square is factored in shared memory, a barrier a column. The rows below are solved
// against it, 128 at a time, a thread each, and keep X = L·D. Then what is left of the lower triangle loses X·D⁻¹·Xᵀ in tiles of
// 64 × 64, 4 × 4 a thread. Where a pivot is exactly zero, the column of such a matrix is too: its inverse is taken for zero.
//
// n³/6 multiply-adds. Bytes for n = 128, in the cache: what is left of the triangle is read and written once for each of four
// panels, 0.3 MB. Grid: (1, jobs); 256 threads; n up to 1024.
#include "jobs.cuh"

constexpr int THREADS = 256;
constexpr int PANEL = 32;
constexpr int TILE = 64;
constexpr int SOLVED = 2 * TILE;   // rows that are solved at a time
constexpr int STRIDE = TILE + 1;   // of a tile's columns: 32 lanes write one row without conflict, and read one column

// Rows first .. first + 64 of a panel's columns into shared memory [column][row], zeros past the end.
DEVICE void load_rows(double* tile, const double* panel, int first, int n, const double* scale) {
    for (int i = threadIdx.x; i < TILE * PANEL; i += THREADS) {
        int row = i / PANEL, column = i % PANEL;
        double x = first + row < n ? panel[int64_t(first + row) * n + column] : 0.0;
        tile[column * STRIDE + row] = scale ? x * scale[column] : x;
    }
}

// lint: registers<=128 spill=0
KERNEL(256, 2) log_determinant(const DeterminantJob* jobs, int n) {
    __shared__ double square[PANEL][PANEL + 1];
    __shared__ double tiles[2][PANEL * STRIDE];
    __shared__ double inverse[PANEL];
    __shared__ float diagonal[1024];
    const DeterminantJob& job = jobs[blockIdx.y];
    double* k = in_global(job.kernel);
    int thread = threadIdx.x;
    for (int i = thread; i < n; i += THREADS) diagonal[i] = float(k[int64_t(i) * n + i]);

    for (int first = 0; first < n; first += PANEL) {
        int width = min(PANEL, n - first), below = first + PANEL;
        const double* panel = k + first;
        for (int i = thread; i < PANEL * PANEL; i += THREADS) {
            int row = i / PANEL, column = i % PANEL;
            bool inside = row < width && column <= row;
            square[row][column] = inside ? panel[int64_t(first + row) * n + column] : double(row == column);
        }
        __syncthreads();

        // The square: a thread has four elements of a row. Who makes a pivot inverts it.
        int row = thread / 8;
        auto invert = [&](int pivot) {
            double x = square[pivot][pivot];
            inverse[pivot] = x != 0 ? 1 / x : 0;
        };
        if (thread == 0) invert(0);
        __syncthreads();
#pragma unroll 1
        for (int pivot = 0; pivot < width - 1; ++pivot) {
            double x = square[row][pivot] * inverse[pivot];
#pragma unroll
            for (int column = thread % 8; column < PANEL; column += 8) {
                if (column > pivot && column <= row) square[row][column] -= x * square[column][pivot];
            }
            if (row == pivot + 1 && thread % 8 == row % 8) invert(row);
            __syncthreads();
        }
        if (thread < width) k[int64_t(first + thread) * (n + 1)] = square[thread][thread];
        if (below >= n) break;

        // X·Lᵀ = the rows below.
        for (int from = below; from < n; from += SOLVED) {
            load_rows(tiles[0], panel, from, n, nullptr);
            load_rows(tiles[1], panel, from + TILE, n, nullptr);
            __syncthreads();
            if (thread < SOLVED) {
                double* x = tiles[thread / TILE] + thread % TILE;
                // In halves: 16 columns are in registers.
#pragma unroll 1
                for (int half = 0; half < PANEL; half += PANEL / 2) {
                    double solved[PANEL / 2];
#pragma unroll
                    for (int j = 0; j < PANEL / 2; ++j) solved[j] = x[(half + j) * STRIDE];
                    for (int i = 0; i < half; ++i) {
                        double scaled = x[i * STRIDE] * inverse[i];
#pragma unroll
                        for (int j = 0; j < PANEL / 2; ++j) solved[j] -= scaled * square[half + j][i];
                    }
#pragma unroll
                    for (int i = 0; i < PANEL / 2 - 1; ++i) {
                        double scaled = solved[i] * inverse[half + i];
#pragma unroll
                        for (int j = i + 1; j < PANEL / 2; ++j) solved[j] -= scaled * square[half + j][half + i];
                    }
#pragma unroll
                    for (int j = 0; j < PANEL / 2; ++j) x[(half + j) * STRIDE] = solved[j];
                }
            }
            __syncthreads();
            for (int i = thread; i < SOLVED * PANEL; i += THREADS) {
                int row = i / PANEL, column = i % PANEL;
                if (from + row >= n) continue;
                k[int64_t(from + row) * n + first + column] = tiles[row / TILE][column * STRIDE + row % TILE];
            }
            __syncthreads();
        }

        // The triangle that is left.
        int x = thread % 16, y = thread / 16;
        for (int rows = below; rows < n; rows += TILE) {
            load_rows(tiles[0], panel, rows, n, inverse);
            for (int columns = below; columns <= rows; columns += TILE) {
                load_rows(tiles[1], panel, columns, n, nullptr);
                __syncthreads();
                double sums[4][4] = {};
#pragma unroll 4
                for (int i = 0; i < PANEL; ++i) {
                    double a[4], b[4];
#pragma unroll
                    for (int q = 0; q < 4; ++q) {
                        a[q] = tiles[0][i * STRIDE + y + 16 * q];
                        b[q] = tiles[1][i * STRIDE + x + 16 * q];
                    }
#pragma unroll
                    for (int q = 0; q < 16; ++q) sums[q / 4][q % 4] += a[q / 4] * b[q % 4];
                }
#pragma unroll
                for (int q = 0; q < 4; ++q) {
                    int row = rows + y + 16 * q;
                    double* left = k + int64_t(row) * n + columns + x;
#pragma unroll
                    for (int r = 0; r < 4; ++r) {
                        if (row < n && columns + x + 16 * r <= row) left[16 * r] -= sums[q][r];
                    }
                }
                __syncthreads();
            }
        }
    }
    __syncthreads();
    double logarithm = 0, least = 1;
    for (int i = thread; i < n; i += THREADS) {
        double pivot = k[int64_t(i) * (n + 1)];
        logarithm += log(fabs(pivot));
        least = fmin(least, pivot == 0 ? 0.0 : pivot / double(diagonal[i]));
    }
    tiles[0][thread] = logarithm;
    tiles[1][thread] = least;
    for (int half = THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (thread >= half) continue;
        tiles[0][thread] += tiles[0][thread + half];
        tiles[1][thread] = fmin(tiles[1][thread], tiles[1][thread + half]);
    }
    if (thread == 0) {
        job.result[0] = tiles[0][0];
        job.result[1] = tiles[1][0];
    }
}
EXPORT(log_determinant)

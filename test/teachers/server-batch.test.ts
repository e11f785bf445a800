import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serverBatch } from '../../src/teachers/server-batch.ts';
import type { ServerBatch } from '../../src/teachers/teacher.ts';

const HOUR = 3_600_000;

test('a batch is read in the words of other servers, and without what they leave out', () => {
  const cases: [Record<string, unknown>, Partial<ServerBatch>][] = [
    [{ status: 'completed' }, { outputFile: undefined, errorFile: undefined, answered: undefined, errors: [] }],
    [
      { status: 'COMPLETED', output_file_id: 'o', error_file_id: '' },
      { status: 'completed', outputFile: 'o', errorFile: undefined },
    ],
    [
      { status: 'SUCCESS', errors: 'none' },
      { status: 'completed', errors: [] },
    ],
    [{ status: 'BATCH_STATE_SUCCEEDED' }, { status: 'completed' }],
    [{ status: 'TIMEOUT_EXCEEDED' }, { status: 'expired' }],
    [
      { status: 'canceled', request_counts: null },
      { status: 'cancelled', answered: undefined },
    ],
    [
      { status: 'CANCELLATION_REQUESTED', request_counts: { completed: 3 } },
      { status: 'cancelling', answered: 3 },
    ],
    [
      { status: 'Warming Up', created_at: {} },
      { status: 'warming up', createdAt: undefined, expiresAt: undefined },
    ],
    [
      { status: 'queued', created_at: 7200, expires_at: null },
      { status: 'validating', createdAt: 2 * HOUR, expiresAt: undefined },
    ],
    [
      { status: 'running', expires_at: '1970-01-01T01:00:00Z' },
      { status: 'in_progress', expiresAt: HOUR },
    ],
    [{}, { status: 'unknown' }],
    [{ status: null }, { status: 'unknown' }],
    [{ status: 'running', expires_at: 1.8e12 }, { expiresAt: 1.8e12 }],
    [{ status: 'failed', errors: { data: [{ message: 'no' }] } }, { errors: [{ code: '', message: 'no', line: undefined }] }],
  ];
  for (const [body, expected] of cases) {
    const read = serverBatch({ id: 'batch', ...body });
    assert.deepEqual({ ...read, ...expected }, read);
  }
});

test('what has no name is no batch', () => {
  for (const said of [undefined, null, '', '<html>', [], {}, { id: '', status: 'completed' }, { job: { id: 'b' } }])
    assert.throws(() => serverBatch(said), /^Error: The answer is not a batch/);
});

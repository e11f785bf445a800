import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { hostId } from '../../src/base/host-id.ts';
import { ownerLiveness, thisProcess } from '../../src/runs/owner.ts';

const stat = (pid: number) => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];

test('this process is alive', () => {
  assert.equal(ownerLiveness(thisProcess()), 'alive');
});

test('a process of another start time is dead, and one of another machine unknown', () => {
  assert.equal(ownerLiveness({ ...thisProcess(), started: '1' }), process.platform === 'linux' ? 'dead' : 'alive');
  assert.equal(ownerLiveness({ ...thisProcess(), host: 'elsewhere/00000000' }), 'unknown');
});

test('a killed process that nobody has waited for is dead', { skip: !existsSync('/proc/self/stat') }, async () => {
  // the shell turns into a program that waits for no child
  const parent = spawn('sh', ['-c', 'sleep 60 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    while (readFileSync(`/proc/${parent.pid}/comm`, 'utf8').trim() !== 'sleep') await sleep(5);
    const owner = { host: hostId(), pid, started: stat(pid)[19] ?? '' };
    assert.equal(ownerLiveness(owner), 'alive');
    process.kill(pid, 'SIGKILL');
    while (stat(pid)[0] !== 'Z') await sleep(5);
    assert.equal(ownerLiveness(owner), 'dead');
  } finally {
    parent.kill('SIGKILL');
  }
});

import { Agent } from 'undici';

/** Longest answer, in bytes: one that never ends would fill the memory before its time is up. */
export const LONGEST_ANSWER = 64 << 20;

/**
 * The connections of one teacher. undici gives up after five minutes without headers or without a further byte, whatever
 * the recipe allows, so both are off and `withDeadline` ends a call. HTTP/1.1 alone: one call a connection, and a broken
 * one takes no other call with it. Idle connections are kept 4 s (undici's default), less than servers keep them.
 */
export function openAgent(connections: number): Agent {
  return new Agent({
    connections,
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
    allowH2: false,
    maxResponseSize: LONGEST_ANSWER,
  });
}

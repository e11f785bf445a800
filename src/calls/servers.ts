import type { Teacher } from '../teachers/teacher.ts';
import type { CallRetryPolicy } from './call-retry-policy.ts';
import { Endpoint } from './endpoint.ts';
import { Slots } from './slots.ts';

/** What is known of the servers of a command, across its steps: one set of slots a server, one set of limits a model at it. */
export class Servers {
  readonly #slots = new Map<string, Slots>();
  readonly #endpoints = new Map<string, Endpoint>();

  at(teacher: Teacher, retryPolicy: CallRetryPolicy): { readonly slots: Slots; readonly endpoint: Endpoint } {
    const { server, model } = teacher;
    const slots = this.#slots.get(server) ?? new Slots();
    this.#slots.set(server, slots);
    const name = `${server} ${model}`;
    const endpoint = this.#endpoints.get(name) ?? new Endpoint(retryPolicy);
    this.#endpoints.set(name, endpoint);
    endpoint.join(teacher);
    return { slots, endpoint };
  }
}

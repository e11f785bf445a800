import type { Teacher } from '../teachers/teacher.ts';
import type { CallRetryPolicy } from './call-retry-policy.ts';
import { Endpoint } from './endpoint.ts';
import { Slots } from './slots.ts';

/** What is known of the servers of a command, across its steps: one set of slots a server, one set of limits a model at it. */
export interface Servers {
  at(teacher: Teacher, retryPolicy: CallRetryPolicy): { readonly slots: Slots; readonly endpoint: Endpoint };
}

export function openServers(): Servers {
  const slots = new Map<string, Slots>();
  const endpoints = new Map<string, Endpoint>();

  return {
    at(teacher, retryPolicy) {
      const { server, model } = teacher;
      const shared = slots.get(server) ?? new Slots();
      slots.set(server, shared);
      const name = `${server} ${model}`;
      const endpoint = endpoints.get(name) ?? new Endpoint(retryPolicy);
      endpoints.set(name, endpoint);
      endpoint.join(teacher);
      return { slots: shared, endpoint };
    },
  };
}

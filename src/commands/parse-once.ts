import * as z from 'zod';

/**
 * zod compiles a parser for each schema, which pays off from the second value on. Imported before the schemas by a verb that
 * parses each file once and has nothing else to do.
 */
z.config({ jitless: true });

// The conformance package imports `globSync`, which Node.js has since version 22. No scenario for servers
// calls it, so older versions get one that finds nothing.

import { register } from 'node:module';

const hooks = `
  export async function resolve(specifier, context, next) {
    if (specifier === 'fs' && context.parentURL?.includes('/@modelcontextprotocol/conformance/')) {
      const source = 'export * from "node:fs"; export const globSync = () => [];';
      return { url: 'data:text/javascript,' + encodeURIComponent(source), shortCircuit: true };
    }
    return next(specifier, context);
  }`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);

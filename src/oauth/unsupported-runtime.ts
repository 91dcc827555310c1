/*
 * oidc-provider asks for a newer Node.js as it loads; our tests say that it runs on this one too. Whoever
 * loads it imports this before: nobody who runs a command is told.
 */

const { warn } = console

Object.assign(globalThis.console, {
  warn: (text: unknown, ...more: unknown[]) => {
    if (!String(text).includes('oidc-provider WARNING: Unsupported runtime')) warn(text, ...more)
  },
})

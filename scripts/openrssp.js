#!/usr/bin/env node
import { existsSync } from 'node:fs'
import { join } from 'node:path'

const cli = join(import.meta.dirname, '../dist/cli.js')
if (!existsSync(cli)) {
  process.stderr.write('openrssp: not built yet; run ./scripts/start once, or: npm run build\n')
  process.exit(1)
}
// Traces of failures name the files that code was written in, and not those that it was built into.
process.setSourceMapsEnabled(true)
await import(cli)

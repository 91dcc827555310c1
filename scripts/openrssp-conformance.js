#!/usr/bin/env node
import { existsSync } from 'node:fs'
import { join } from 'node:path'

const runner = join(import.meta.dirname, '../dist/conformance/openrssp-conformance.js')
if (!existsSync(runner)) {
  process.stderr.write('openrssp-conformance: not built yet; run: npm run build\n')
  process.exit(2)
}
await import(runner)

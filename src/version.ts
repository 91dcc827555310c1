import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PACKAGE } from './package-files.js'

const manifest = readFileSync(join(PACKAGE, 'package.json'), 'utf8')

export const VERSION = (JSON.parse(manifest) as { version: string }).version

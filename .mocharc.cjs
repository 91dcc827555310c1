const { readdirSync } = require('node:fs')
const { join } = require('node:path')

/** Two processes take the files as they stand here: with the longest first, both are done at about one time. */
const LONGEST = [
  'conformance/self.test.ts',
  'conformance/sandbox.test.ts',
  'server/kill.test.ts',
  'conformance/mutants.test.ts',
  'sandbox/sandbox.test.ts',
  'server/topology.test.ts',
  'server/key-process.test.ts',
  'demo/end-to-end.test.ts',
  'server/races.test.ts',
  'commands/administration.test.ts',
  'documents/xades/documents.test.ts',
  'workers/supervisor.test.ts',
  'storage/postgresql.test.ts',
  'commands/postgresql.test.ts',
  'audit/tampering.test.ts',
]

const all = readdirSync(join(__dirname, 'test'), { recursive: true }).filter((path) =>
  path.endsWith('.test.ts'),
)
const gone = LONGEST.filter((path) => !all.includes(path))
if (gone.length > 0) throw new Error(`There is no test/${gone[0]} any more (.mocharc.cjs)`)

module.exports = {
  'node-option': ['import=tsx/esm'],
  spec: [...new Set([...LONGEST, ...all.sort()])].map((path) => `test/${path}`),
  // What never comes is waited for in vain; what is slow, on a machine with other things to do, is not.
  timeout: 300000,
  exit: false,
  parallel: true,
  jobs: 2,
}

/**
 * A process that makes a key and is killed on the way, at the step it is told. Arguments: the database, the
 * token as JSON, the custody, the step.
 */
import type { KeyCustody } from '../../src/keys/key-custody.js'
import { HsmKeys } from '../../src/keys/hsm-keys.js'
import { newKeyId, type Custody } from '../../src/keys/key-id.js'
import { KeyRegister } from '../../src/keys/key-register.js'
import { DatabaseKeyStore } from '../../src/storage/key-store.js'
import { SqliteDatabase } from '../../src/storage/sqlite/sqlite-database.js'
import type { TestToken } from './softhsm.js'

export const STEPS = ['generating', 'generated', 'made', 'ending'] as const
export type Step = (typeof STEPS)[number]

if (process.argv[1] === import.meta.filename) void makeAndDie()

async function makeAndDie(): Promise<void> {
  const [file = '', token = '', custodyName, step] = process.argv.slice(2)
  const now = () => new Date()
  const database = await SqliteDatabase.open({ file, headFile: null, now })
  const keys = await HsmKeys.open({
    ...(JSON.parse(token) as TestToken),
    ...{ sessions: 2, wrappedKeys: { find: () => Promise.resolve(null) } },
  })
  const die = async (at: Step): Promise<void> => {
    if (step === at) process.kill(process.pid, 'SIGKILL')
    await Promise.resolve()
  }
  const store = new DatabaseKeyStore(database)
  const custody: KeyCustody = {
    async generate(...request) {
      const making = keys.generate(...request)
      if (step === 'generating') setTimeout(() => void die('generating'), 3)
      const key = await making
      await die('generated')
      await die('generating')
      return key
    },
    async destroy(keyId) {
      await die('ending')
      await keys.destroy(keyId)
    },
    sign: (keyId, digests, algorithm) => keys.sign(keyId, digests, algorithm),
    publicKey: (keyId) => keys.publicKey(keyId),
    ready: () => keys.ready(),
    close: () => keys.close(),
  }
  const register = new KeyRegister({ custody, store, now, alarm: () => undefined })
  const keyId = newKeyId(custodyName as Custody)
  process.stdout.write(`${keyId}\n`)
  await register.generate('p-256', keyId)
  await die('made')
  await register.destroy(keyId)
}

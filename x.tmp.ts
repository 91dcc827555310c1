import { BenchInstallation } from './scripts/bench/installation.js'
import { measureStamps } from './scripts/bench/processes.js'
import { join } from 'node:path'
const i = await BenchInstallation.make()
process.env['SOFTHSM2_CONF'] = i.token.conf
process.env['NODE_OPTIONS'] = '--cpu-prof --cpu-prof-dir=/tmp/prof'
console.log(await measureStamps({ configFile: join(i.folder, 'openrssp.json'), seconds: 4, atOnce: 100, inBatches: true }))
i.remove()

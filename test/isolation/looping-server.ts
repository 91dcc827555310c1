import { IsolatedProcesses } from '../../src/isolation/isolated-processes.js'
import { isolatedTask } from '../../src/isolation/isolated-task.js'
import type { loopForever } from './mischief.js'

/** Has a task that never ends, and waits for it longer than the test that kills it. */
const task = isolatedTask<typeof loopForever>(
  new URL('./mischief.js', import.meta.url),
  'loopForever',
)
await new IsolatedProcesses({ processes: 1, seconds: 60 }).run(task, undefined)

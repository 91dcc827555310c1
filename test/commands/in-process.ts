import { CommanderError, type Command } from 'commander'
import { explain, newProgram } from '../../src/commands/program.js'
import type { Outcome } from './openrssp.js'

/**
 * The tool without a process of its own, which saves much time: for commands that open no token and serve
 * nobody, one after the other. What surrounds a process is for tests that start one.
 */
export async function openrsspHere(args: readonly string[]): Promise<Outcome> {
  const { stdout, stderr, exitCode } = process
  const [out, err] = [stdout.write.bind(stdout), stderr.write.bind(stderr)]
  const said = { stdout: '', stderr: '' }
  stdout.write = (text) => ((said.stdout += text.toString()), true)
  stderr.write = (text) => ((said.stderr += text.toString()), true)
  process.exitCode = undefined
  try {
    return { code: await codeOf(args), ...said }
  } finally {
    stdout.write = out
    stderr.write = err
    process.exitCode = exitCode
  }
}

async function codeOf(args: readonly string[]): Promise<number> {
  const program = newProgram()
  throwInsteadOfExit(program)
  try {
    await program.parseAsync([...args], { from: 'user' })
    return Number(process.exitCode ?? 0)
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode
    process.stderr.write(`openrssp: ${explain(error)}\n`)
    return 1
  }
}

function throwInsteadOfExit(command: Command): void {
  command.exitOverride()
  for (const each of command.commands) throwInsteadOfExit(each)
}

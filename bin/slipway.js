#!/usr/bin/env node
// Plain JavaScript on purpose: an old Node must be told which version it needs, not shown a syntax error.
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`slipway needs Node.js 20.19 or newer, this is ${process.versions.node}. Install a supported release and run it again.`);
  process.exit(3);
}
const { main } = await import('../dist/src/cli/main.js').catch((error) => {
  if (error.code !== 'ERR_MODULE_NOT_FOUND' || !String(error.message).includes('dist/src/cli/main.js')) throw error;
  console.error('slipway is not built yet. Run: npm install && npm run build');
  process.exit(3);
});
process.exitCode = await main(process.argv.slice(2));

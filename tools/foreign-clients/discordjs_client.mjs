// @discordjs/ws with @discordjs/rest against a replay gateway: logs in, counts what comes, tells
// what it saw as JSON.
import { REST } from '@discordjs/rest';
import { CompressionMethod, WebSocketManager, WebSocketShardEvents } from '@discordjs/ws';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const { GATEWAY_HTTP, TOKEN, COMPRESSION, EVENTS, SECONDS_MAX } = process.env;
const entry = createRequire(import.meta.url).resolve('@discordjs/ws');
const { version } = JSON.parse(readFileSync(new URL('../package.json', `file://${entry}`)));
const rest = new REST({ version: '10', api: `${GATEWAY_HTTP}/api` }).setToken(TOKEN);
const compression = {
	native: CompressionMethod.ZlibNative,
	'zlib-sync': CompressionMethod.ZlibSync,
}[COMPRESSION] ?? null;
const manager = new WebSocketManager({
	token: TOKEN,
	intents: 53_608_447,
	compression,
	useIdentifyCompression: COMPRESSION === 'payload',
	rest,
});
const seen = { numbers: new Set(), readies: 0, resumes: 0, events: 0, errors: [] };
manager.on(WebSocketShardEvents.Dispatch, (data) => {
	seen.numbers.add(data.s);
	seen.events += 1;
});
manager.on(WebSocketShardEvents.Ready, () => (seen.readies += 1));
manager.on(WebSocketShardEvents.Resumed, () => (seen.resumes += 1));
manager.on(WebSocketShardEvents.Error, (error) => seen.errors.push(String(error)));
if (process.env.DEBUG_CLIENT) manager.on(WebSocketShardEvents.Debug, (text) => console.error(text));

const report = { client: '@discordjs/ws', version };
try {
	const user = await rest.get('/users/@me');
	const application = await rest.get('/oauth2/applications/@me');
	Object.assign(report, { user: user.username, application: application.id });
	await manager.connect();
	for (let tenths = 0; tenths < SECONDS_MAX * 10; tenths += 1) {
		if (seen.resumes >= 2 && seen.events >= EVENTS) break;
		await new Promise((resolve) => setTimeout(resolve, 100));
	}
	await manager.destroy();
} catch (error) {
	report.error = String(error);
}
const largest = [...seen.numbers].reduce((a, b) => Math.max(a, b), 0);
Object.assign(report, {
	identified: seen.readies,
	events: seen.events,
	missing: largest - seen.numbers.size,
	resumed: seen.resumes,
	errors: seen.errors.slice(0, 3),
});
console.log(JSON.stringify(report));
process.exit(0);

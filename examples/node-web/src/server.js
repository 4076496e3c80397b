'use strict';

const app = require('./app');

const port = process.env.PORT || 3000;
const server = app.listen(port, () => console.log(`tides on port ${port}`));

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => server.close(() => process.exit(0)));
}

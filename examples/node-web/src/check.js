'use strict';

const assert = require('node:assert');
const http = require('node:http');
const app = require('./app');

const server = app.listen(0, '127.0.0.1', () => {
  http.get({ port: server.address().port, path: '/tides/2', host: '127.0.0.1' }, (response) => {
    let body = '';
    response.on('data', (part) => (body += part));
    response.on('end', () => {
      assert.deepStrictEqual(JSON.parse(body), ['1970-01-01T12:25:00.000Z', '1970-01-02T00:50:00.000Z']);
      console.log('tides: all is well');
      server.close();
    });
  });
});

'use strict';

const express = require('express');

// A tide comes every 12 hours and 25 minutes.
const TIDE = (12 * 60 + 25) * 60 * 1000;

const app = express();

app.get('/tides/:count', (request, response) => {
  const count = Number(request.params.count);
  if (!Number.isInteger(count) || count < 1 || count > 100) {
    return response.status(400).json({ error: 'a count from 1 to 100' });
  }
  const times = Array.from({ length: count }, (_, tide) => new Date((tide + 1) * TIDE).toISOString());
  return response.json(times);
});

module.exports = app;

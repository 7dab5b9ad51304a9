"""The linearized Bregman iteration, its flow and its limits."""
